"""What handlers work with, and how they are bound to paths."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

from aiohttp import web

from sliceworks.master.api.description import About
from sliceworks.master.assets.keeper import AssetKeeper
from sliceworks.master.cluster.view import ClusterView
from sliceworks.master.commands import Commands
from sliceworks.master.metrics.recent import RecentTimings
from sliceworks.master.slices import SliceHistory
from sliceworks.master.store.contract import ClusterStore
from sliceworks.protocol.errors import InvalidError
from sliceworks.protocol.settings import Settings

PREFIXES: Final = ("", "/v1")
_METHODS: Final = {"GET": ("GET", "HEAD")}


@dataclass(frozen=True, slots=True)
class Api:
    """The parts of the master that answer requests."""

    settings: Settings
    store: ClusterStore
    commands: Commands
    history: SliceHistory
    view: ClusterView
    timings: RecentTimings
    assets: AssetKeeper


Handler: TypeAlias = Callable[[Api, web.Request], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path; the path is without prefix."""

    method: str
    path: str
    handler: Handler
    about: About


BOUND: Final[web.AppKey[list[Route]]] = web.AppKey("bound")
"""Every route that an application serves; `/openapi.json` is made from it."""


async def _handle(route: Route, api: Api, request: web.Request) -> web.Response:
    """A known option that is given twice says two things: neither is taken."""
    for option in route.about.options:
        if len(request.query.getall(option.name, ())) > 1:
            message = f"{option.name} must be given once"
            raise InvalidError(message)
    return await route.handler(api, request)


def bind(app: web.Application, api: Api, routes: Sequence[Route]) -> None:
    """Add routes with both prefixes, with and without a slash at the end."""
    app.setdefault(BOUND, []).extend(routes)
    for route in routes:
        handler = partial(_handle, route, api)
        for prefix in PREFIXES:
            path = (prefix + route.path).rstrip("/")
            for spelling in ([path] if path else []) + [f"{path}/"]:
                for method in _METHODS.get(route.method, (route.method,)):
                    app.router.add_route(method, spelling, handler)
