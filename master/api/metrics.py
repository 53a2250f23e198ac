"""`/metrics`: the whole cluster for Prometheus."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from sliceworks.master.api.context import Api, Route
from sliceworks.master.api.description import About, Answer
from sliceworks.master.api.rendering import architecture
from sliceworks.master.cluster.view import ExecutionView
from sliceworks.master.commands import API_VERSION
from sliceworks.master.metrics.recent import RECENT
from sliceworks.master.metrics.snapshot import MasterInfo, Snapshot
from sliceworks.master.store.records import Order, Page
from sliceworks.protocol.states import TERMINAL_STATUSES
from sliceworks.protocol.version import own_version

OPENMETRICS: Final = "application/openmetrics-text"
_LAST_ENDED: Final = Page(size=RECENT, order=(Order("_updated", descending=True),))


async def get_metrics(api: Api, request: web.Request) -> web.Response:
    """Everything for Prometheus.

    Executions that live and the last that ended, controllers, nodes, and the processes of the master's host;
    as OpenMetrics if the `Accept` header names it.
    """
    snapshot = await _snapshot(api)
    body, media = await asyncio.to_thread(_encoded, snapshot, ",".join(request.headers.getall("Accept", [])))
    return web.Response(body=body, headers={"Content-Type": media})


async def _snapshot(api: Api) -> Snapshot:
    ended = await api.store.executions(_LAST_ENDED, statuses=sorted(TERMINAL_STATUSES))
    totals, queued = api.view.totals()
    living = api.view.executions()
    known = {shown.row.ex_id for shown in living}
    return Snapshot(
        about=MasterInfo(api.settings.name, architecture(), API_VERSION, f"v{own_version()}"),
        totals=totals,
        queued=queued,
        controllers=api.view.controllers(),
        processes=api.view.processes(),
        nodes=api.view.nodes(),
        executions=[
            *living,
            *(
                ExecutionView(stored.row, stored.document, api.timings.of(stored.row.ex_id))
                for stored in ended
                if stored.row.ex_id not in known
            ),
        ],
        trouble=api.store.trouble,
    )


def _encoded(snapshot: Snapshot, accept: str) -> tuple[bytes, str]:
    # Imported when first asked: a master that nobody scrapes starts without it.
    from sliceworks.master.metrics.figures import encoded  # noqa: PLC0415

    return encoded(snapshot, accept)


ROUTES: Final = (
    Route(
        "GET",
        "/metrics",
        get_metrics,
        About("service", str, media="text/plain", also=(Answer(str, media=OPENMETRICS),)),
    ),
)
