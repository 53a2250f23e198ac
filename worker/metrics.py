"""`/metrics` of a worker daemon, on a port of its own: for those who set one."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import structlog
from aiohttp import web

from sliceworks.protocol.errors import ConfigError
from sliceworks.worker.figures import NodeFigures

PATH: Final = "/metrics"

log = structlog.get_logger(__name__)


@contextlib.asynccontextmanager
async def serving_metrics(
    bind: str, port: int, take: Callable[[], Awaitable[NodeFigures]]
) -> AsyncIterator[None]:
    """Serve what `take` finds until the block ends; nothing on port 0.  ConfigError if the port is taken."""
    if not port:
        yield
        return

    async def answer(request: web.Request) -> web.Response:
        figures, accept = await take(), ",".join(request.headers.getall("Accept", []))
        body, media = await asyncio.to_thread(_encoded, figures, accept)
        return web.Response(body=body, headers={"Content-Type": media})

    app = web.Application()
    app.router.add_get(PATH, answer)
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await _listen(runner, bind, port)
        log.info("metrics_served", port=port, path=PATH)
        yield
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, bind: str, port: int) -> None:
    try:
        await web.TCPSite(runner, bind, port).start()
    except OSError as error:
        why = os.strerror(error.errno or 0)
        message = f"cannot listen on {bind} port {port}: {why}: set another metrics_port, or 0"
        raise ConfigError(message) from error


def _encoded(figures: NodeFigures, accept: str) -> tuple[bytes, str]:
    # Imported when first asked: a daemon that nobody scrapes starts without it.
    from sliceworks.worker.exposition import encoded  # noqa: PLC0415

    return encoded(figures, accept)
