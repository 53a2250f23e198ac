"""Errors as answers: always JSON, never a stack trace."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from aiohttp import web

from sliceworks.master.api.rendering import answer
from sliceworks.protocol.errors import HTTP_STATUS, InvalidError, SliceworksError
from sliceworks.protocol.ids import new_id

log = structlog.get_logger(__name__)

RETRY_SECONDS: Final = 2
"""What a client is told to wait for that which is unavailable now."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def answer_faults(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever a handler raises into the answer that the contract gives it."""
    try:
        return await handler(request)
    except SliceworksError as error:
        return _known(error)
    except web.HTTPException as error:
        return _http(request, error)
    except Exception:
        request_id = new_id()
        log.exception("request_failed", request_id=request_id, method=request.method, path=request.path)
        return _fault(500, f"internal error, the log has it as request {request_id}", request_id=request_id)


def _known(error: SliceworksError) -> web.Response:
    faults = error.faults if isinstance(error, InvalidError) else ()
    listed = [{"path": fault.path, "message": fault.message} for fault in faults]
    return _fault(HTTP_STATUS[error.code], str(error), **({"faults": listed} if listed else {}))


def _http(request: web.Request, error: web.HTTPException) -> web.Response:
    if error.status < web.HTTPBadRequest.status_code:
        raise error
    match error:
        case web.HTTPNotFound() | web.HTTPMethodNotAllowed():
            message = f"cannot {request.method} endpoint {request.path_qs}"
        case web.HTTPRequestEntityTooLarge():
            message = "the body is too large: " + (error.text or "")
        case _:
            message = error.reason
    response = _fault(error.status, message)
    if isinstance(error, web.HTTPMethodNotAllowed):
        response.headers["Allow"] = error.headers["Allow"]
    return response


def _fault(status: int, message: str, **more: Any) -> web.Response:
    response = answer({"error": status, "message": message, **more}, status=status)
    if status == web.HTTPServiceUnavailable.status_code:
        response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response
