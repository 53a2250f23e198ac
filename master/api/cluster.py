"""The cluster as a whole: what it is, who is in it, what it did."""

from __future__ import annotations

import os
import socket
import sys
from typing import Final

from aiohttp import web

from sliceworks.master.api import shapes
from sliceworks.master.api.context import Api, Route
from sliceworks.master.api.description import About, Answer
from sliceworks.master.api.rendering import (
    PYTHON_VERSION,
    Json,
    answer,
    architecture,
    controller_json,
    master_json,
    node_json,
    stats_json,
    stats_metrics,
)
from sliceworks.master.commands import API_VERSION
from sliceworks.protocol.version import own_version

OPENMETRICS: Final = "application/openmetrics-text"


async def get_root(api: Api, request: web.Request) -> web.Response:  # noqa: ARG001 - the shape of a handler
    """What this is."""
    return answer(
        {
            "arch": architecture(),
            "clustering_type": "native",
            "name": api.settings.name,
            "node_version": PYTHON_VERSION,
            "platform": sys.platform,
            "teraslice_version": API_VERSION,
            "python_version": PYTHON_VERSION,
            "sliceworks_version": f"v{own_version()}",
        }
    )


async def get_state(api: Api, request: web.Request) -> web.Response:  # noqa: ARG001
    """Every node with its processes."""
    return answer(cluster_state(api))


def cluster_state(api: Api) -> dict[str, Json]:
    """The master's host and every worker daemon, by node."""
    name = socket.gethostname()
    master = master_json(
        name, hostname=api.settings.hostname, pid=os.getpid(), controllers=api.view.processes()
    )
    return {name: master} | {node.record.node_id: node_json(node) for node in api.view.nodes()}


async def get_stats(api: Api, request: web.Request) -> web.Response:
    """The cluster's sums, as JSON or for Prometheus."""
    totals, queued = api.view.totals()
    if _wants_metrics(request):
        return stats_metrics(totals, queued, api.settings.name)
    return answer(stats_json(totals, queued))


async def list_controllers(api: Api, request: web.Request) -> web.Response:  # noqa: ARG001
    """Every connected controller."""
    return answer([controller_json(view) for view in api.view.controllers()])


def _wants_metrics(request: web.Request) -> bool:
    ranges = ",".join(request.headers.getall("Accept", [])).split(",")
    return any(part.partition(";")[0].strip().lower() == OPENMETRICS for part in ranges)


_CONTROLLERS: Final = About("cluster", list[shapes.ControllerStats])

ROUTES: Final = (
    Route("GET", "/", get_root, About("cluster", shapes.Root)),
    Route("GET", "/cluster/state", get_state, About("cluster", dict[str, shapes.Node])),
    Route(
        "GET",
        "/cluster/stats",
        get_stats,
        About("cluster", shapes.ClusterStats, also=(Answer(str, media=OPENMETRICS),)),
    ),
    Route("GET", "/cluster/controllers", list_controllers, _CONTROLLERS),
    Route("GET", "/cluster/slicers", list_controllers, _CONTROLLERS),
)
