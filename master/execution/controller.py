"""The execution controller: a process that runs one execution, from its fork to its outcome.

The shell round the machine: an actor that feeds it events and carries out its effects, and beside it the
writer, the link server, the slicer child, the clock and the session with the master.  If any of them crashes
the process ends, and the master starts a new generation: that is the only recovery.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Final, TypeVar, assert_never

import structlog
import uvloop

from sliceworks.master.execution import events as ev
from sliceworks.master.execution.lineage_source import LineageSource
from sliceworks.master.execution.link_server import LinkServer, listen
from sliceworks.master.execution.machine import ExecutionMachine
from sliceworks.master.execution.model import Now, Rules
from sliceworks.master.execution.recovery import inheritance_of
from sliceworks.master.execution.slicer_child import SlicerChild
from sliceworks.master.execution.slicing import SlicerStart
from sliceworks.master.execution.start import GO, ControllerStart
from sliceworks.master.execution.to_master import End, MasterSession
from sliceworks.master.execution.writer import StoreWriter
from sliceworks.master.metrics.identity import ControllerInfo
from sliceworks.master.store.contract import BatchStore
from sliceworks.master.store.engine import StateStore
from sliceworks.master.store.lineage import Lineage
from sliceworks.protocol.actor import Actor, Ref
from sliceworks.protocol.channel import Backoff
from sliceworks.protocol.clock import Clock, SystemClock
from sliceworks.protocol.codec import unpack
from sliceworks.protocol.documents import ExecutionSpec
from sliceworks.protocol.errors import FencedError, StoreUnavailableError
from sliceworks.protocol.forkserver import ForkServer
from sliceworks.protocol.log import Level, change_level, configure_logging, level_of
from sliceworks.protocol.messages import LogFrom, Wishes

log = structlog.get_logger(__name__)

T = TypeVar("T")

MAILBOX: Final = 100_000
TIMER_SECONDS: Final = 0.02
NURSERY: Final = "sliceworks.master.execution.children"
EXIT_FENCED: Final = 3


def run_controller(sock: socket.socket, payload: bytes) -> int:
    """The main of a forked controller.

    It touches nothing before the master says on the pipe that this process is on record: a master that dies
    in between leaves no controller that its successor does not know of.
    """
    start = unpack(payload, ControllerStart)
    configure_logging(
        level=start.log_level,
        style=start.log_format,
        process="controller",
        ex_id=start.ex_id,
        generation=start.generation,
    )
    nursery = ForkServer.fork_here(NURSERY)
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    with sock:
        if sock.recv(len(GO)) != GO:
            return 0
    return uvloop.run(_run(start, nursery))


async def _run(start: ControllerStart, nursery: socket.socket) -> int:
    exit_code = 0
    try:
        await _live(start, nursery)
    except* FencedError as errors:
        log.error("fenced", reason=str(errors.exceptions[0]))
        exit_code = EXIT_FENCED
    return exit_code


async def _live(start: ControllerStart, nursery: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1, thread_name_prefix="store") as thread:
        store = await _when_available(partial(loop.run_in_executor, thread, _open_store, start))
        try:
            async with AsyncExitStack() as stack:
                forks = await stack.enter_async_context(ForkServer.attach(nursery))
                place = stack.enter_context(_state_store(start).places())
                lineage = Lineage(start.lineage, place)
                controller = await Controller.open(start, store, thread, lineage=lineage, forks=forks)
                serving = controller.links.serve(controller.listener, figures=controller.figures)
                await stack.enter_async_context(serving)
                await controller.run()
        finally:
            await loop.run_in_executor(thread, store.close)


def _open_store(start: ControllerStart) -> BatchStore:
    return _state_store(start).open_execution(start.ex_id, generation=start.generation)


def _state_store(start: ControllerStart) -> StateStore:
    return StateStore(start.state_url, Path(start.data_dir), start.durability)


async def _when_available(work: Callable[[], Awaitable[T]]) -> T:
    """Do this as soon as the store can be used."""
    backoff = Backoff()
    while True:
        try:
            return await work()
        except StoreUnavailableError as error:
            log.warning("store_not_available", error=str(error))
            await asyncio.sleep(backoff.next_seconds())


class Controller:
    """The tree of one execution; made by `open`, lives in `run`."""

    def __init__(
        self,
        start: ControllerStart,
        *,
        machine: ExecutionMachine,
        writer: Writer,
        source: Source,
        forks: ForkServer,
    ) -> None:
        self.listener = listen(start.bind, start.port_range)
        ref = Ref[ev.Event](f"execution/{start.ex_id}", MAILBOX)
        self._ref = ref
        self._writer = writer(ref.tell)
        self._source = source(ref.tell)
        self.links = LinkServer(
            ex_id=start.ex_id,
            generation=start.generation,
            secret=start.secret,
            heartbeat_ms=start.heartbeat_ms,
            tell=ref.tell,
        )
        self._info, self._report = _info(start), machine.report
        port: int = self.listener.getsockname()[1]
        self._session = MasterSession(start, port, report=machine.report, tell=ref.tell)
        self._slicer = SlicerChild(
            forks,
            SlicerStart(start.execution, [], start.log_level, start.log_format, start.assets_directory),
            ref.tell,
        )
        self._execution = Execution(
            machine,
            self.links,
            writer=self._writer,
            source=self._source,
            slicer=self._slicer,
            session=self._session,
            log_level=start.log_level,
        )

    @classmethod
    async def open(
        cls,
        start: ControllerStart,
        store: BatchStore,
        thread: ThreadPoolExecutor,
        *,
        lineage: Lineage,
        forks: ForkServer,
    ) -> Controller:
        """Load what the generations before left, and build the tree."""
        loop = asyncio.get_running_loop()
        snapshot = await _when_available(partial(loop.run_in_executor, thread, store.load))
        spec = ExecutionSpec.model_validate_json(start.execution)
        inheritance = inheritance_of(spec)
        machine = ExecutionMachine(
            start.ex_id,
            slicers=spec.slicers,
            rules=_rules(spec, start),
            snapshot=snapshot,
            wishes=start.wishes,
            now=_now(SystemClock()),
            inheritance=inheritance if start.lineage else None,
        )
        return cls(
            start,
            machine=machine,
            writer=lambda tell: StoreWriter(store, thread, tell),
            source=lambda tell: LineageSource(lineage, inheritance.kinds, tell),
            forks=forks,
        )

    def figures(self, accept: str) -> tuple[bytes, str]:
        """What this process shows on /metrics."""
        # Imported when first asked: a controller that nobody scrapes begins without it.
        from sliceworks.master.metrics.controller import encoded  # noqa: PLC0415

        return encoded(self._info, self._report(), accept)

    async def run(self) -> None:
        """Live until the master has applied the outcome, or wants this process to end."""
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._writer.run(), name="writer"),
                group.create_task(self._source.run(), name="lineage"),
                group.create_task(self._execution.run(self._ref), name="execution"),
                group.create_task(self._execution.keep_time(self._ref), name="timer"),
            ]
            await self._until_end(group)
            for task in tasks:
                task.cancel()

    async def _until_end(self, group: asyncio.TaskGroup) -> None:
        """SIGTERM means the same as the master's order to save and end."""
        terminated = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminated.set)
        session = group.create_task(self._session.run(), name="master")
        term = group.create_task(terminated.wait(), name="sigterm")
        done, _ = await asyncio.wait({session, term}, return_when=asyncio.FIRST_COMPLETED)
        end = session.result() if session in done else End.SAVE
        log.info("controller_ends", why=end.name.lower())
        for task in (session, term):
            task.cancel()
        if end is not End.REFUSED:
            await self._writer.idle()
            await self._slicer.left()


class Execution(Actor[ev.Event]):
    """Feeds the machine and does what it says."""

    def __init__(
        self,
        machine: ExecutionMachine,
        links: LinkServer,
        *,
        writer: StoreWriter,
        source: LineageSource,
        slicer: SlicerChild,
        session: MasterSession,
        log_level: Level,
    ) -> None:
        self._machine = machine
        self._log_level = log_level
        self._links = links
        self._writer = writer
        self._source = source
        self._slicer = slicer
        self._session = session
        self._clock: Clock = SystemClock()
        self._touched = asyncio.Event()

    async def on_start(self) -> None:
        """The machine's first effects."""
        now = _now(self._clock)
        await self._perform(self._machine.start(now) + self._machine.flush(now))

    async def handle(self, message: ev.Event) -> None:
        """One event in, its effects out, and the next batch on its way if the writer is free."""
        if isinstance(message, Wishes):
            self._log_from(level_of(message.log_level, self._log_level))
        now = _now(self._clock)
        await self._perform(self._machine.handle(message, now) + self._machine.flush(now))
        self._touched.set()
        self._session.note_change()

    async def keep_time(self, ref: Ref[ev.Event]) -> None:
        """Tell the machine when the time it waits for has come."""
        while True:
            now = _now(self._clock)
            due = self._machine.next_due_ms(now)
            self._touched.clear()
            try:
                async with asyncio.timeout(None if due is None else max(0, due - now.monotonic_ms) / 1000):
                    await self._touched.wait()
            except TimeoutError:
                ref.tell(ev.TimePassed())
            await asyncio.sleep(TIMER_SECONDS)

    def _log_from(self, level: Level) -> None:
        if level != self._log_level:
            self._log_level = level
            change_level(level)
            self._slicer.send(LogFrom(level))

    async def _perform(self, effects: list[ev.Effect]) -> None:
        for effect in effects:
            match effect:
                case ev.Send(connection, message):
                    self._links.send(connection, message)
                case ev.Write() | ev.LoadPending():
                    self._writer.submit(effect)
                case ev.LoadLineage():
                    self._source.submit(effect)
                case ev.ToSlicer(message):
                    self._slicer.send(message)
                case ev.StartSlicer(recovery):
                    await self._slicer.start(recovery)
                case ev.ReportNow():
                    self._session.report_now()
                case ev.Finish(status, failure):
                    self._session.finish(status, failure)
                case _:
                    assert_never(effect)


Writer = Callable[[Callable[[ev.Event], None]], StoreWriter]
Source = Callable[[Callable[[ev.Event], None]], LineageSource]


def _info(start: ControllerStart) -> ControllerInfo:
    name = ExecutionSpec.model_validate_json(start.execution).name
    return ControllerInfo(start.ex_id, start.job_id, name, start.generation)


def _now(clock: Clock) -> Now:
    return Now(clock.monotonic_ms(), clock.wall_ms())


def _rules(spec: ExecutionSpec, start: ControllerStart) -> Rules:
    return Rules(
        persistent=spec.lifecycle == "persistent",
        max_retries=spec.max_retries,
        max_worker_losses=spec.max_worker_losses,
        at_most_once=spec.max_attempts == 1,
        probation_window_ms=spec.probation_window,
        lease_timeout_ms=start.lease_timeout_ms,
        slicer_timeout_ms=start.slicer_timeout_ms,
        worker_disconnect_timeout_ms=start.worker_disconnect_timeout_ms,
        execution_timeout_ms=spec.execution_timeout,
    )
