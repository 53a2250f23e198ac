"""The worker daemon: wires the parts together, and takes them apart in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Final

import aiohttp
import structlog
from yarl import URL

from sliceworks.operations.archive import LIMITS
from sliceworks.protocol.clock import SystemClock
from sliceworks.protocol.config import Settings
from sliceworks.protocol.daemon import DaemonContext, lock_data_dir, run_daemon
from sliceworks.protocol.forkserver import ForkServer
from sliceworks.protocol.ids import WorkerId, new_id
from sliceworks.protocol.log import configure_logging
from sliceworks.protocol.messages import VERSION, NodeHello
from sliceworks.protocol.process import set_child_subreaper, sweep
from sliceworks.protocol.version import own_version
from sliceworks.worker.asset_fetch import Fetcher
from sliceworks.worker.assets import Assets
from sliceworks.worker.identity import node_id_of
from sliceworks.worker.master_link import MasterLink
from sliceworks.worker.metrics import serving_metrics
from sliceworks.worker.node import FiguresAsked, Node, StatusAsked
from sliceworks.worker.orphans import reaping
from sliceworks.worker.pool import Drain, Premises
from sliceworks.worker.slot import Workshop

MARK: Final = "SLICEWORKS_NODE"
"""Environment variable of every worker: node id and incarnation of the daemon that started it."""
ACK_SECONDS: Final = 5  # after the grace of a drain: how long results may wait to be acknowledged
GOODBYE_SECONDS: Final = 1

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this daemon is."""

    node_id: str
    incarnation: str

    @property
    def mark(self) -> str:
        """What its workers carry in their environment."""
        return f"{self.node_id}:{self.incarnation}"


def run_worker(settings: Settings) -> int:
    """Be the worker daemon until SIGTERM or SIGINT; the exit code of the process."""
    configure_logging(level=settings.log_level, style=settings.log_format, role="node")
    return run_daemon(partial(_main, settings))


async def _main(settings: Settings, context: DaemonContext) -> None:
    with lock_data_dir(settings.data_dir), reaping():
        identity = Identity(node_id_of(settings.data_dir), new_id())
        set_child_subreaper()
        killed = sweep(MARK, identity.mark)
        if killed:
            log.warning("leftovers_killed", pids=killed)
        async with _premises(settings, identity) as premises:
            await _live(settings, premises, context)


@contextlib.asynccontextmanager
async def _premises(settings: Settings, identity: Identity) -> AsyncIterator[Premises]:
    numbers = count(1)
    clock = SystemClock()
    async with (
        ForkServer.start("sliceworks.worker.children", env={MARK: identity.mark}) as fork_server,
        aiohttp.ClientSession() as session,
        Assets.open(settings.assets_directory, _fetcher(settings, session), clock) as assets,
    ):
        yield Premises(
            node_id=identity.node_id,
            incarnation=identity.incarnation,
            hostname=settings.hostname,
            durable=settings.state.durability == "full",
            log_level=settings.log_level,
            log_format=settings.log_format,
            heartbeat_ms=settings.node_state_interval,
            disconnect_timeout_ms=settings.node_disconnect_timeout,
            session=session,
            workshop=Workshop(fork_server, asyncio.Semaphore(settings.workers), clock, assets),
            new_worker_id=lambda: WorkerId(next(numbers)),
        )


async def _live(settings: Settings, premises: Premises, context: DaemonContext) -> None:
    url = _master_url(settings) / "_ws" / "node"
    hello = _hello(settings, premises)
    link = MasterLink(premises.session, str(url), hello=hello, heartbeat_ms=settings.node_state_interval)
    node = Node(settings.workers, premises, show=link.show)
    figures = partial(node.ref.ask, FiguresAsked)
    async with (
        serving_metrics(settings.bind, settings.metrics_port, figures),
        asyncio.TaskGroup() as group,
    ):
        parts = [
            group.create_task(node.run(node.ref), name="node"),
            group.create_task(link.run(node.ref.tell), name="master-link"),
        ]
        log.info("node_started", node_id=premises.node_id, slots=settings.workers, master=str(url))
        async with context.reporting(lambda: node.ref.ask(StatusAsked)):
            await context.stopping.wait()
            await _drain(node, link, grace_ms=settings.shutdown_timeout)
        for part in parts:
            part.cancel()
    log.info("node_ended", node_id=premises.node_id)


async def _drain(node: Node, link: MasterLink, *, grace_ms: int) -> None:
    """Let slices in hand end and their results be acknowledged; what takes longer is run again elsewhere."""
    limit_seconds = grace_ms / 1_000 + ACK_SECONDS
    node.ref.tell(Drain(grace_ms))
    try:
        async with asyncio.timeout(limit_seconds):
            await node.drained.wait()
    except TimeoutError:
        log.warning("drain_cut_short", reason="results could not be acknowledged in time")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GOODBYE_SECONDS):
            await link.shown.wait()


def _hello(settings: Settings, premises: Premises) -> NodeHello:
    return NodeHello(
        version=VERSION,
        node_id=premises.node_id,
        incarnation=premises.incarnation,
        hostname=settings.hostname,
        pid=os.getpid(),
        slots=settings.workers,
        python_version=platform.python_version(),
        sliceworks_version=own_version(),
    )


def _master_url(settings: Settings) -> URL:
    return URL.build(scheme="http", host=settings.master_hostname, port=settings.port)


def _fetcher(settings: Settings, session: aiohttp.ClientSession) -> Fetcher:
    return Fetcher(session, _master_url(settings), limit_bytes=LIMITS.zip_bytes)
