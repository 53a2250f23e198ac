"""The cluster master: wiring, start and end.  Nothing is decided here.

The order of the start: folder locked, port taken, store opened, fork server exec'ed, machine restored, and
only then the port is served, so that no client ever meets a master that does not know its executions.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Final

import structlog
from aiohttp import web

from sliceworks.master.api.app import make_app
from sliceworks.master.api.context import Api
from sliceworks.master.assets.folder import AssetFolder
from sliceworks.master.assets.inspection import BundleInspector, Bundles
from sliceworks.master.assets.jobs import JobCheck, JobsWithAssets
from sliceworks.master.assets.keeper import AssetKeeper
from sliceworks.master.cluster import events as ev
from sliceworks.master.cluster.machine import ClusterMachine
from sliceworks.master.cluster.model import Limits
from sliceworks.master.cluster.summary import summary
from sliceworks.master.cluster.view import ClusterView
from sliceworks.master.commands import Commands
from sliceworks.master.controllers import ControllerSessions
from sliceworks.master.executions import (
    ControllerProcesses,
    ControllerSetup,
    controller_heartbeat_ms,
    recorded_alive,
)
from sliceworks.master.listening import listen, remember_port, url_of
from sliceworks.master.metrics.recent import RecentTimings
from sliceworks.master.nodes import NodeSessions
from sliceworks.master.reactor import ClusterReactor, Ports, Replies, RunningProcesses
from sliceworks.master.readers import ReaderQuestion
from sliceworks.master.recoveries import Recoveries
from sliceworks.master.sessions import Sessions
from sliceworks.master.slices import SliceHistory
from sliceworks.master.store.contract import ClusterStore
from sliceworks.master.store.engine import SQLITE, state_store
from sliceworks.master.validation import JobValidator
from sliceworks.protocol.actor import MailboxClosed, Ref
from sliceworks.protocol.clock import SystemClock
from sliceworks.protocol.daemon import DaemonContext, lock_data_dir, run_daemon
from sliceworks.protocol.forkserver import ForkServer
from sliceworks.protocol.log import configure_logging
from sliceworks.protocol.process import end_process
from sliceworks.protocol.settings import Settings

log = structlog.get_logger(__name__)

MAILBOX: Final = 100_000
CHILDREN: Final = "sliceworks.master.children"
CHILDREN_POSTGRES: Final = "sliceworks.master.children_postgres"
GC_THRESHOLDS: Final = (50_000, 20, 100)
"""Answers about a thousand nodes are many small objects without cycles: seldom is often enough.

Making one took 37 ms (p99 270) with the interpreter's own thresholds, and takes 16 (p99 40) on the same
busy machine.
"""

END_SECONDS: Final = 10.0
"""How long controllers may take to save when the master ends; after that they are killed, and resume."""

SERVE_END_SECONDS: Final = 2.0
"""How long requests and websockets may take to end after that."""


def run_master(settings: Settings) -> int:
    """Be the cluster master until SIGTERM; the exit code of the process."""
    configure_logging(level=settings.log_level, style=settings.log_format, process="master")
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    return run_daemon(partial(_live, settings))


async def _live(settings: Settings, context: DaemonContext) -> None:
    with lock_data_dir(settings.data_dir), listen(settings) as listener:
        async with (
            state_store(settings).open_cluster() as store,
            ForkServer.start(CHILDREN if settings.state.url == SQLITE else CHILDREN_POSTGRES) as forks,
        ):
            url = url_of(settings, listener)
            processes = partial(ControllerProcesses, forks, ControllerSetup(settings, url, store.lineage))
            master = Master(
                settings,
                store,
                make_processes=processes,
                validate=JobValidator(forks),
                ask_reader=ReaderQuestion(forks, AssetFolder(settings.assets_directory)),
                bundles=BundleInspector(forks),
            )
            async with master.running(), _serving(master.app, listener):
                remember_port(settings, listener)
                log.info("master_ready", url=url, data_dir=str(settings.data_dir))
                async with context.reporting(master.pulse):
                    await context.stopping.wait()
                    await master.close()
    log.info("master_ended")


class Master:
    """All parts of a master round one machine; `running` is its life."""

    def __init__(
        self,
        settings: Settings,
        store: ClusterStore,
        *,
        make_processes: Callable[[Callable[[ev.Event], None]], RunningProcesses],
        validate: JobCheck,
        ask_reader: Callable[[bytes], Awaitable[bool]],
        bundles: Bundles,
    ) -> None:
        self._settings = settings
        self._store = store
        self._machine = ClusterMachine(limits_of(settings))
        self._ref = Ref[ev.Event]("cluster", MAILBOX)
        self._replies = Replies()
        self._sessions = Sessions()
        self._processes = make_processes(self._tell)
        self._view = ClusterView(self._machine)
        self._folder = AssetFolder(settings.assets_directory)
        commands = self._make_commands(JobsWithAssets(validate, self._view, self._folder), ask_reader)
        self._keeper = AssetKeeper(self._folder, bundles, self._view, commands=commands, clock=SystemClock())
        ports = Ports(
            store,
            self._processes,
            self._sessions,
            replies=self._replies,
            clock=SystemClock(),
            remove_asset=self._keeper.remove,
        )
        self._reactor = ClusterReactor(self._machine, ports, self._tell)
        self.app = self._make_app(commands)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The reactor runs, restored from the store; a crash of it ends everything."""
        async with self._processes, asyncio.TaskGroup() as group:
            restored = await _restored(self._store)
            await self._keeper.prepare(restored.assets)
            self._tell(restored)
            tasks = [
                group.create_task(self._reactor.run(self._ref), name="cluster"),
                group.create_task(self._reactor.keep_time(self._ref), name="cluster-time"),
                group.create_task(self._keeper.run(), name="assets"),
            ]
            try:
                await self._keeper.load_from(self._settings.autoload_directory)
                yield
            finally:
                self._ref.drain()
                for task in tasks:
                    task.cancel()

    async def pulse(self) -> str:
        """Go once through the machine; what it has to do with now."""
        await self._reactor.turn(self._ref)
        return summary(self._machine.core)

    async def close(self) -> None:
        """Let controllers save and end; kill those that do not."""
        self._tell(ev.Closing())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                await self._reactor.alone.wait()
        for ex_id, identity in self._machine.processes().items():
            if identity is not None:
                log.warning("controller_killed", ex_id=ex_id, pid=identity.pid, why="it did not save and end")
                await end_process(identity, grace_seconds=0)
        self._sessions.close_all("the master is shutting down")

    def _make_commands(
        self, validate: JobsWithAssets, ask_reader: Callable[[bytes], Awaitable[bool]]
    ) -> Commands:
        settings = self._settings
        return Commands(
            self._store,
            self._replies,
            tell=self._ref.tell,
            validate=validate,
            recoveries=Recoveries(self._store, ask_reader),
            clock=SystemClock(),
            timeout_ms=settings.api_response_timeout,
            answer_margin_ms=settings.network_latency_buffer,
        )

    def _make_app(self, commands: Commands) -> web.Application:
        settings = self._settings
        history, timings = SliceHistory(self._store.place), RecentTimings()
        api = Api(settings, self._store, commands, history, self._view, timings, assets=self._keeper)
        nodes = NodeSessions(
            self._sessions, self._tell, cluster=settings.name, heartbeat_ms=settings.node_state_interval
        )
        controllers = ControllerSessions(
            self._sessions,
            self._store,
            self._tell,
            timings=timings,
            heartbeat_ms=controller_heartbeat_ms(settings),
        )
        return make_app(api, node_socket=nodes.handle, controller_socket=controllers.handle)

    def _tell(self, event: ev.Event) -> None:
        """What comes after the end is nobody's business any more."""
        with contextlib.suppress(MailboxClosed):
            self._ref.tell(event)


def limits_of(settings: Settings) -> Limits:
    """What the settings say about how long things may take."""
    return Limits(
        overdue_ms=settings.lease_timeout + settings.network_latency_buffer,
        disconnect_ms=settings.node_disconnect_timeout,
        margin_ms=settings.network_latency_buffer,
        shutdown_ms=settings.shutdown_timeout,
        totals_ms=settings.analytics_rate,
        hostname=settings.hostname,
    )


async def _restored(store: ClusterStore) -> ev.Restored:
    """What the master before this one left, and which of its controllers run."""
    snapshot = await store.load()
    executions = snapshot.executions
    alive = frozenset(item.row.ex_id for item in executions if recorded_alive(item.row.controller))
    return ev.Restored(executions, alive, snapshot.nodes, snapshot.totals, snapshot.key, snapshot.assets)


@contextlib.asynccontextmanager
async def _serving(app: web.Application, listener: socket.socket) -> AsyncIterator[None]:
    runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=SERVE_END_SECONDS)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        yield
    finally:
        await runner.cleanup()
