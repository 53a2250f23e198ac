"""The web application: every resource under both prefixes, and the two websockets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from aiohttp import web

from sliceworks.master.api import (
    assets,
    cluster,
    executions,
    jobs,
    metrics,
    nodes,
    recovery,
    slices,
    txt,
    verbs,
)
from sliceworks.master.api.context import BOUND, Api, bind
from sliceworks.master.api.faults import answer_faults
from sliceworks.master.api.openapi.service import Documentation

MAX_BODY_BYTES: Final = 10 * 1024 * 1024
NODE_PATH: Final = "/_ws/node"
CONTROLLER_PATH: Final = "/_ws/controller"

WebSocketHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_app(
    api: Api, *, node_socket: WebSocketHandler, controller_socket: WebSocketHandler
) -> web.Application:
    """Everything that the master serves."""
    app = web.Application(middlewares=[answer_faults], client_max_size=MAX_BODY_BYTES)
    for resource in (assets, cluster, nodes, jobs, slices, executions, txt, verbs, recovery, metrics):
        bind(app, api, resource.ROUTES)
    bound = app[BOUND]
    bind(app, api, Documentation(bound).routes)
    app.router.add_get(assets.ZIP_PATH, partial(assets.fetch_zip, api))
    app.router.add_get(NODE_PATH, node_socket)
    app.router.add_get(CONTROLLER_PATH, controller_socket)
    return app
