"""What becomes of an answer that is no success: an error, whose code decides the exit code."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Final

from sliceworks.protocol.errors import (
    ConflictError,
    Fault,
    GoneError,
    InvalidError,
    NotAllowedError,
    NotFoundError,
    SliceworksError,
    TooLargeError,
    UnavailableError,
    UnprocessableError,
)

_ERRORS: Final[Mapping[int, type[SliceworksError]]] = {
    401: NotAllowedError,
    403: NotAllowedError,
    404: NotFoundError,
    405: NotFoundError,
    409: ConflictError,
    410: GoneError,
    413: TooLargeError,
    422: UnprocessableError,
    502: UnavailableError,
    503: UnavailableError,
    504: UnavailableError,
}


_UNKNOWN: Final = re.compile(r"cannot [A-Z]+ endpoint ")


def refusal(status: int, answer: object, request: str) -> SliceworksError:
    """The error that an answer with this status is."""
    known = answer if isinstance(answer, dict) else {}
    text = _text_of(known) or f"{request} answered {status}"
    if _UNKNOWN.match(text) and status in (404, 405):
        return SliceworksError(f"the master says: {text}. Is it older than this command?")
    if status == 400:
        return InvalidError(text, tuple(_faults(known)))
    return _ERRORS.get(status, SliceworksError)(text)


def unreachable(url: str, error: Exception) -> UnavailableError:
    """The error of a connection that cannot be made, or that breaks."""
    number = error.errno if isinstance(error, OSError) else None
    reason = os.strerror(number) if number else str(error) or "no answer in time"
    return UnavailableError(
        f"cannot reach a master at {url} ({reason}): "
        "start one with `sliceworks dev`, or name it with --url or SLICEWORKS_URL"
    )


def no_master(*, what: str, request: str = "the master") -> UnavailableError:
    """The error of an answer that no Sliceworks master gives."""
    return UnavailableError(f"{request} answered {what}: is it the URL of a Sliceworks master?")


def _text_of(answer: dict[str, Any]) -> str:
    """The message; some answers have it as `error`."""
    error = answer.get("error")
    return str(answer.get("message") or (error if isinstance(error, str) else ""))


def _faults(answer: dict[str, Any]) -> list[Fault]:
    listed = answer.get("faults")
    found = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    return [Fault(str(item.get("path", "")), str(item.get("message", ""))) for item in found]
