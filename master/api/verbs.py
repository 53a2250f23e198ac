"""Steering an execution: stop, pause, resume, workers, log level; by its id, or by that of its job."""

from __future__ import annotations

from typing import Final, get_args

from aiohttp import web

from sliceworks.master.api import shapes
from sliceworks.master.api.context import Api, Route
from sliceworks.master.api.description import About, must, number, one_of, yes_or_no
from sliceworks.master.api.latest import ex_id_of
from sliceworks.master.api.options import flag, whole_number
from sliceworks.master.api.rendering import answer
from sliceworks.master.cluster.events import AddWorkers, RemoveWorkers, SetWorkers, WorkersChange
from sliceworks.master.commands import StopOptions
from sliceworks.protocol.documents import LogLevel
from sliceworks.protocol.errors import InvalidError

LOG_LEVELS: Final = get_args(LogLevel)
_CHANGES: Final[dict[str, tuple[str, type[AddWorkers | RemoveWorkers | SetWorkers]]]] = {
    "add": ("add", AddWorkers),
    "remove": ("remove", RemoveWorkers),
    "total": ("set", SetWorkers),
}


async def stop(api: Api, request: web.Request) -> web.Response:
    """End it; answers when it has ended, unless told not to wait."""
    force = flag(request.query, "force", default=False)
    grace_ms = whole_number(request.query, "timeout", api.settings.shutdown_timeout)
    options = StopOptions(0 if force else grace_ms, blocking=flag(request.query, "blocking", default=True))
    ex_id = await ex_id_of(api, request)
    status = await api.commands.stop(ex_id, options)
    forced = {"message": f"Force stop complete for exId: {ex_id}"} if force else {}
    return answer({**forced, "status": status})


async def pause(api: Api, request: web.Request) -> web.Response:
    """Dispatch nothing for now."""
    return answer({"status": await api.commands.pause(await ex_id_of(api, request))})


async def resume(api: Api, request: web.Request) -> web.Response:
    """Dispatch again."""
    return answer({"status": await api.commands.resume(await ex_id_of(api, request))})


async def change_workers(api: Api, request: web.Request) -> web.Response:
    """Add, remove or set workers."""
    verb, change = _change_of(request)
    ex_id = await ex_id_of(api, request)
    await api.commands.change_workers(ex_id, change)
    return answer(f"{change.count} workers have been {verb} for execution: {ex_id}")


async def change_settings(api: Api, request: web.Request) -> web.Response:
    """Log more or less from now on."""
    level = request.query.get("log_level", "undefined")
    if level not in LOG_LEVELS:
        message = f'Invalid log level "{level}", must be one of: {", ".join(LOG_LEVELS)}'
        raise InvalidError(message)
    ex_id = await ex_id_of(api, request)
    await api.commands.change_log_level(ex_id, level)
    return answer({"exId": ex_id, "level": level})


def _change_of(request: web.Request) -> tuple[str, WorkersChange]:
    given = [(name, text) for name, text in request.query.items() if name in _CHANGES]
    count = given[0][1] if len(given) == 1 else ""
    if not count.isascii() or not count.isdigit() or int(count[:10]) == 0:
        message = (
            "Must provide a valid worker parameter(add/remove/total) that is a number and greater than zero"
        )
        raise InvalidError(message)
    verb, change = _CHANGES[given[0][0]]
    return verb, change(int(count[:10]))


_STOP: Final = (
    number("timeout", "ms that slices in hand may take; default: the setting `shutdown_timeout`"),
    yes_or_no("blocking", "`false`: answer at once, and not when it has ended", default="true"),
    yes_or_no("force", "`true`: kill its workers at once", default="false"),
)
_WORKERS: Final = (
    number("add", "so many more", at_least=1),
    number("remove", "so many less", at_least=1),
    number("total", "so many in all; exactly one of the three must be given", at_least=1),
)
_LOG_LEVEL: Final = must(one_of("log_level", "the lowest level that is logged from now on", *LOG_LEVELS))
_VERBS: Final = (
    ("stop", stop, About("executions", shapes.Status, _STOP, errors=(404,))),
    ("pause", pause, About("executions", shapes.Status, errors=(404, 409))),
    ("resume", resume, About("executions", shapes.Status, errors=(404, 409))),
    ("workers", change_workers, About("executions", str, _WORKERS, errors=(404, 409))),
    ("settings", change_settings, About("executions", shapes.Level, (_LOG_LEVEL,), errors=(404, 409))),
)

ROUTES: Final = tuple(
    Route("POST", f"/{noun}/_{verb}", handler, about)
    for noun in ("ex/{ex_id}", "jobs/{job_id}")
    for verb, handler, about in _VERBS
)
