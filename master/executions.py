"""Controllers as processes: forked, adopted, watched, killed; and what a dead one has left in its store.

Controllers outlive the master.  Those of an earlier master are watched by pidfd, after pid, start time and
boot id have shown that it is the same process.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import cache
from types import TracebackType
from typing import Any, Final

import structlog

from sliceworks.master.cluster import effects as ef
from sliceworks.master.cluster import events as ev
from sliceworks.master.execution.start import GO, ControllerStart
from sliceworks.master.execution.statistics import statistics
from sliceworks.master.store.engine import StateStore, state_store
from sliceworks.master.store.history import StoredOutcome, read_counts, read_outcome
from sliceworks.protocol.channel import Backoff
from sliceworks.protocol.codec import pack
from sliceworks.protocol.errors import SliceworksError, StoreError, StoreUnavailableError
from sliceworks.protocol.forkserver import Child, ExitStatus, ForkServer
from sliceworks.protocol.log import level_of
from sliceworks.protocol.messages import ControllerOutcome, ControllerReport, SliceCounts
from sliceworks.protocol.process import Identity, end_process, identity_of, is_alive, wait_dead
from sliceworks.protocol.settings import Settings

log = structlog.get_logger(__name__)

MAX_HEARTBEAT_MS: Final = 3_000


LineageOf = Callable[[str], Awaitable[list[str]]]


async def _nothing(_ex_id: str) -> list[str]:
    return []


@dataclass(frozen=True, slots=True)
class ControllerSetup:
    """What every controller of this master is started with."""

    settings: Settings
    master_url: str
    lineage_of: LineageOf = _nothing
    """The ex_ids of all executions that recovered one another with this one, the oldest first."""

    @property
    def state(self) -> StateStore:
        """Where their stores are."""
        return state_store(self.settings)

    def start_of(self, order: ef.SpawnController, lineage: list[str]) -> ControllerStart:
        """The start of one controller; `lineage`: what it recovers."""
        settings = self.settings
        return ControllerStart(
            ex_id=order.ex_id,
            job_id=order.job_id,
            generation=order.generation,
            secret=order.secret,
            execution=order.document,
            data_dir=str(settings.data_dir),
            master_url=self.master_url,
            bind=settings.bind,
            port_range=(settings.slicer_port_range.first, settings.slicer_port_range.last),
            wishes=order.wishes,
            durability=settings.state.durability,
            lease_timeout_ms=settings.lease_timeout,
            heartbeat_ms=controller_heartbeat_ms(settings),
            slicer_timeout_ms=settings.slicer_timeout,
            worker_disconnect_timeout_ms=settings.worker_disconnect_timeout,
            log_level=level_of(order.wishes.log_level, settings.log_level),
            log_format=settings.log_format,
            state_url=settings.state.url,
            assets_directory=str(settings.assets_directory),
            lineage=lineage,
        )


class ControllerProcesses:
    """The `Processes` of a master: `async with ControllerProcesses(...) as processes:`.

    Processes go on when the context ends; nothing is told of them any more.
    """

    def __init__(self, forks: ForkServer, setup: ControllerSetup, tell: Callable[[ev.Event], None]) -> None:
        self._forks = forks
        self._setup = setup
        self._tell = tell
        self._group = asyncio.TaskGroup()
        self._waiting: dict[tuple[str, int], socket.socket] = {}  # controllers that were not released yet
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> ControllerProcesses:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await self._group.__aexit__(kind, error, trace)

    def spawn(self, order: ef.SpawnController) -> None:
        """See `Processes`."""
        self._do(self._spawn(order), f"controller {order.ex_id}")

    def release(self, order: ef.ReleaseController) -> None:
        """See `Processes`."""
        if pipe := self._waiting.pop((order.ex_id, order.generation), None):
            with contextlib.suppress(OSError), pipe:
                pipe.send(GO)

    def watch(self, order: ef.WatchController) -> None:
        """See `Processes`."""
        self._do(self._watch(order), f"adopted controller {order.ex_id}")

    def end(self, order: ef.EndController) -> None:
        """See `Processes`."""
        self._do(end_process(order.identity, grace_seconds=0), f"end controller {order.ex_id}")

    def inspect(self, order: ef.InspectStore) -> None:
        """See `Processes`."""
        self._do(self._inspect(order), f"inspect {order.ex_id}")

    def _do(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = self._group.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _spawn(self, order: ef.SpawnController) -> None:
        ended: asyncio.Future[ExitStatus] = asyncio.get_running_loop().create_future()
        payload = pack(self._setup.start_of(order, await self._lineage(order)))
        try:
            child = await self._forks.spawn("controller", payload, on_exit=ended.set_result)
        except (SliceworksError, OSError) as error:
            how = f"it could not be started: {error}"
            return self._tell(ev.ControllerExited(order.ex_id, order.generation, how))
        self._waiting[order.ex_id, order.generation] = child.sock
        self._tell(ev.ControllerSpawned(order.ex_id, order.generation, _identity_of(child)))
        try:
            status = await ended
        finally:
            self._forget(order)
        self._tell(ev.ControllerExited(order.ex_id, order.generation, _how(status)))
        return None

    async def _lineage(self, order: ef.SpawnController) -> list[str]:
        """What the execution recovers; waits for a store that cannot be read now."""
        backoff = Backoff()
        while order.recovers:
            try:
                found = await self._setup.lineage_of(order.ex_id)
                return [ex_id for ex_id in found if ex_id != order.ex_id]
            except (sqlite3.OperationalError, StoreUnavailableError) as error:
                log.warning("cluster_store_away", ex_id=order.ex_id, reason=str(error))
                await asyncio.sleep(backoff.next_seconds())
        return []

    def _forget(self, order: ef.SpawnController) -> None:
        """A controller that was not released reads the end of its pipe, and ends."""
        if pipe := self._waiting.pop((order.ex_id, order.generation), None):
            pipe.close()

    async def _watch(self, order: ef.WatchController) -> None:
        try:
            pidfd = os.pidfd_open(order.identity.pid)
        except ProcessLookupError:
            pidfd = -1
        try:
            if pidfd >= 0 and is_alive(order.identity):
                await wait_dead(pidfd)
        finally:
            if pidfd >= 0:
                os.close(pidfd)
        how = "it ended, nobody saw how"
        self._tell(ev.ControllerExited(order.ex_id, order.generation, how))

    async def _inspect(self, order: ef.InspectStore) -> None:
        try:
            outcome, counts = await self._read_left(order.ex_id)
        except (sqlite3.Error, StoreError) as error:
            log.error("execution_store_unreadable", ex_id=order.ex_id, reason=str(error))
            outcome, counts = None, SliceCounts()
        self._tell(ev.StoreInspected(order.ex_id, order.generation, outcome, counts))

    async def _read_left(self, ex_id: str) -> tuple[ControllerOutcome | None, SliceCounts]:
        """Waits for a database server that is away."""
        backoff = Backoff()
        while True:
            try:
                return await asyncio.to_thread(_read_left, self._setup.state, ex_id)
            except StoreUnavailableError as error:
                log.warning("execution_store_away", ex_id=ex_id, reason=str(error))
                await asyncio.sleep(backoff.next_seconds())


def controller_heartbeat_ms(settings: Settings) -> int:
    """Of a controller's connections: its silence must be noticed before it is held against it."""
    return min(settings.node_state_interval, MAX_HEARTBEAT_MS)


def recorded_alive(identity: Identity | None) -> bool:
    """Whether the recorded process is that of a living controller of this boot."""
    return identity is not None and is_alive(identity)


def _read_left(state: StateStore, ex_id: str) -> tuple[ControllerOutcome | None, SliceCounts]:
    with state.place(ex_id) as place:
        outcome = read_outcome(place)
        return (_outcome_of(outcome) if outcome else None), read_counts(place)


def _outcome_of(stored: StoredOutcome) -> ControllerOutcome:
    report = ControllerReport(
        phase="stopping",
        reason="",
        failure=stored.head.failure,
        statistics=statistics(stored.head, slicers=stored.slicers),
        counts=stored.counts,
        operations=stored.operations,
    )
    return ControllerOutcome(stored.status, stored.failure, report)


def _identity_of(child: Child) -> Identity:
    """Who the child is."""
    os.close(child.pidfd)
    return Identity(child.pid, child.start_time, _boot_id())


@cache
def _boot_id() -> str:
    own = identity_of(os.getpid())
    return own.boot_id if own else ""


def _how(status: ExitStatus) -> str:
    if status.signal is not None:
        return f"it was ended by signal {status.signal} ({signal.Signals(status.signal).name})"
    if status.exit_code is not None:
        return f"it ended with exit code {status.exit_code}"
    return "it ended, nobody saw how"
