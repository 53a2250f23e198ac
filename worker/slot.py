"""One worker process, from its fork until nothing of it is left: the daemon's half of `host.py`.

Whatever a worker does, its end is told once, and only when everything that it wrote has been read: exit
status and end of the pipe come in any order, and a grandchild that keeps the pipe open delays the verdict
by a moment only.  A dead worker's process group is killed.  Its last lines on stderr are told with its end.

| the worker is       | kill                                    | its end is told                 |
| ------------------- | --------------------------------------- | ------------------------------- |
| waiting for assets  | ends the wait                           | as never started                |
| waiting for a place | ends the wait                           | as never started                |
| being forked        | ends the fork, which leaves no child    | as never started                |
| a process           | SIGKILL, to it and to its process group | with its cause, from the marker |
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, assert_never

import structlog
from msgspec import msgpack

from sliceworks.protocol.clock import Clock
from sliceworks.protocol.codec import Decoder
from sliceworks.protocol.forkserver import Child, ExitStatus, ForkServer, ForkServerError
from sliceworks.protocol.ids import WorkerId
from sliceworks.protocol.log import Level
from sliceworks.protocol.messages import (
    HostFailed,
    HostFinish,
    HostReady,
    HostResults,
    HostToDaemon,
    LogFrom,
    RunSlices,
)
from sliceworks.protocol.pipe import AsyncPipe
from sliceworks.protocol.process import kill_group
from sliceworks.worker.asset_fetch import AssetError
from sliceworks.worker.assets import Assets
from sliceworks.worker.events import (
    WorkerDelayed,
    WorkerExited,
    WorkerReady,
    WorkerResults,
    WorkerStartFailed,
)
from sliceworks.worker.marker import InHand, Marker, make_page, send_page
from sliceworks.worker.memory_kills import MemoryKills
from sliceworks.worker.start import WorkerStart
from sliceworks.worker.stderr import Relay, WorkerStderr

LAST_WORDS_SECONDS: Final = 0.2  # how long the pipe of a dead worker may stay open
LINGER_SECONDS: Final = 2.0  # how long a worker may live that has closed its pipe
MAX_NAME_CHARS: Final = 200  # what a message takes as the name of an operation

_decoder: Final[Decoder[HostToDaemon]] = Decoder(HostToDaemon)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerForked:
    """The worker has become a process, or is about to."""


Told: TypeAlias = (
    WorkerForked | WorkerDelayed | WorkerReady | WorkerStartFailed | WorkerResults | WorkerExited
)


@dataclass(frozen=True, slots=True)
class Workshop:
    """What the slots of a node share; `places` is how many workers may live at once."""

    fork_server: ForkServer
    places: asyncio.Semaphore
    clock: Clock
    assets: Assets


class Slot:
    """A worker of one execution; its methods may be called at any time of its life."""

    def __init__(
        self, start: WorkerStart, workshop: Workshop, *, operations: list[str], tell: Callable[[Told], None]
    ) -> None:
        self.pid = 0
        """0 until it is a process."""
        self.placed = False
        """Whether it takes one of the node's places."""
        self._worker_id = WorkerId(start.worker_id)
        self._start = start
        self._workshop = workshop
        self._operations = operations
        self._tell = tell
        self._log_level = start.log_level
        self._dismissed = False
        self._task: asyncio.Task[None] | None = None
        self._child: Child | None = None
        self._pipe: AsyncPipe[HostToDaemon] | None = None
        self._marker: Marker | None = None
        self._memory_kills: MemoryKills | None = None
        self._exited: asyncio.Future[ExitStatus] = asyncio.get_running_loop().create_future()
        self._closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._end = WorkerExited(self._worker_id, f"worker {self._worker_id} was not started")

    def live(self, group: asyncio.TaskGroup) -> None:
        """Begin the worker's life, in `group`; however it ends, that is told as WorkerExited."""
        self._task = group.create_task(self._live(), name=f"worker-{self._worker_id}")
        self._task.add_done_callback(lambda _: self._tell(self._end))

    def give(self, slices: RunSlices) -> None:
        """Hand over slices; nothing happens if the worker is dead."""
        if self._pipe:
            self._pipe.send(slices)

    def log_from(self, level: Level) -> None:
        """Let it log from this level on; as soon as it can be told, if it is no process yet."""
        if level != self._log_level:
            self._log_level = level
            if self._pipe:
                self._pipe.send(LogFrom(level))

    def finish(self) -> None:
        """Let it end after the slice in hand."""
        self._dismissed = True
        if self._pipe:
            self._pipe.send(HostFinish())

    def kill(self) -> None:
        """End it now."""
        self._dismissed = True
        if self._child:
            _kill(self._child)
        elif self._task:
            self._task.cancel()

    def in_hand(self) -> InHand:
        """What it works on at this moment; nothing while it is no process."""
        return self._marker.read() if self._marker else InHand(0, 0, 0)

    async def _live(self) -> None:
        """No place is taken while assets are on their way: other executions can use it meanwhile."""
        try:
            await self._workshop.assets.wait_for(
                [asset.asset_id for asset in self._start.assets],
                lambda reason: self._tell(WorkerDelayed(self._worker_id, reason)),
            )
        except AssetError as error:
            self._tell(WorkerStartFailed(self._worker_id, str(error)))
            return
        async with self._workshop.places:
            self.placed = True
            self._tell(WorkerForked())
            with contextlib.ExitStack() as stack:
                try:
                    page = stack.enter_context(_page())
                    stderr = stack.enter_context(self._listening())
                    child = await self._fork(stack)
                except (ForkServerError, OSError) as error:
                    self._tell(WorkerStartFailed(self._worker_id, f"no worker can be started: {error}"))
                    return
                marker = stack.enter_context(self._reading(page))
                await self._connect(child, page, stderr)
                await self._accompany(child, marker, stderr)

    @contextlib.contextmanager
    def _listening(self) -> Iterator[WorkerStderr]:
        start = self._start
        relay = Relay(
            style=start.log_format,
            ex_id=start.ex_id,
            worker_id=start.worker_id,
            clock=self._workshop.clock,
        )
        with contextlib.closing(WorkerStderr(relay.take)) as stderr:
            yield stderr
        relay.tell_left_out()

    @contextlib.contextmanager
    def _reading(self, page: int) -> Iterator[Marker]:
        with contextlib.closing(Marker(page)) as marker:
            self._marker = marker
            try:
                yield marker
            finally:
                self._marker = None

    async def _fork(self, stack: contextlib.ExitStack) -> Child:
        payload = msgpack.encode(self._start)
        child = await self._workshop.fork_server.spawn("worker", payload, on_exit=self._on_exit)
        self._child = child
        self.pid = child.pid
        self._memory_kills = MemoryKills.seen_by(child.pid)
        stack.callback(self._leave, child)
        self._tell(WorkerForked())
        log.info("worker_started", ex_id=self._start.ex_id, worker_id=self._worker_id, pid=child.pid)
        return child

    def _leave(self, child: Child) -> None:
        """Whatever happened to us, the worker does not outlive this; from here on there is nobody to kill."""
        _kill(child)
        os.close(child.pidfd)
        self._child = None

    async def _connect(self, child: Child, page: int, stderr: WorkerStderr) -> None:
        with contextlib.suppress(ConnectionError):  # dead already: its exit is on the way
            await _send_page(child, page, stderr.write_end)
        stderr.handed_over()
        self._pipe = await AsyncPipe.open(
            child.sock, _decoder, on_message=self._on_message, on_closed=self._on_closed
        )
        if self._log_level != self._start.log_level:
            self._pipe.send(LogFrom(self._log_level))

    async def _accompany(self, child: Child, marker: Marker, stderr: WorkerStderr) -> None:
        """To the end, and a little further."""
        try:
            status = await self._exit_status(child)
            kill_group(child.pid)
            await asyncio.wait([self._closed], timeout=LAST_WORDS_SECONDS)
            self._end = self._obituary(status, marker, stderr.close())
        finally:
            if self._pipe:
                self._pipe.close()
        write = log.info if self._dismissed else log.warning
        write("worker_ended", ex_id=self._start.ex_id, worker_id=self._worker_id, how=self._end.cause)

    async def _exit_status(self, child: Child) -> ExitStatus:
        first: list[asyncio.Future[Any]] = [self._exited, self._closed]
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if not self._exited.done():
            await asyncio.wait([self._exited], timeout=0 if self._closed.result() else LINGER_SECONDS)
        if not self._exited.done():
            _kill(child)
        return await self._exited

    def _obituary(self, status: ExitStatus, marker: Marker, log_tail: str) -> WorkerExited:
        in_hand = marker.read()
        started_ms, place = in_hand.started_ms, in_hand.operation
        known = 0 < place <= len(self._operations)
        return WorkerExited(
            worker_id=self._worker_id,
            cause=f"worker {self._worker_id} (pid {self.pid}) on {self._start.hostname} {self._how(status)}",
            exit_code=status.exit_code,
            signal=status.signal,
            seq=in_hand.seq,
            op=self._operations[place - 1][:MAX_NAME_CHARS] if known else "",
            started_ms=started_ms,
            run_us=max(0, self._workshop.clock.wall_ms() - started_ms) * 1_000 if started_ms else 0,
            log_tail=log_tail,
        )

    def _how(self, status: ExitStatus) -> str:
        broken = self._closed.result() if self._closed.done() else ""
        if broken:
            return f"was killed because its pipe broke: {broken}"
        if status.signal is not None:
            how = f"was killed by signal {status.signal} ({_signal_name(status.signal)})"
            return how + (self._memory_verdict() if status.signal == signal.SIGKILL else "")
        if status.exit_code is not None:
            return f"ended with exit code {status.exit_code}"
        return "died together with the fork server, nobody saw how"

    def _memory_verdict(self) -> str:
        before = self._memory_kills
        if self._dismissed or before is None or not before.since():
            return ""
        return f", for want of memory: meanwhile oom_kill rose by {before.since()} in {before.file}"

    def _on_message(self, message: HostToDaemon) -> None:
        match message:
            case HostResults():
                self._tell(WorkerResults(self._worker_id, message))
            case HostReady():
                self._tell(WorkerReady(self._worker_id))
            case HostFailed():
                log.warning(
                    "worker_cannot_start",
                    ex_id=self._start.ex_id,
                    worker_id=self._worker_id,
                    error=message.error,
                )
                self._tell(WorkerStartFailed(self._worker_id, message.error))
            case _ as never:
                assert_never(never)

    def _on_exit(self, status: ExitStatus) -> None:
        if not self._exited.done():
            self._exited.set_result(status)

    def _on_closed(self, reason: str) -> None:
        if not self._closed.done():
            self._closed.set_result(reason)


async def _send_page(child: Child, page: int, stderr: int) -> None:
    """Send the page as soon as the child has read enough of its payload."""
    loop = asyncio.get_running_loop()
    writable = asyncio.Event()
    loop.add_writer(child.sock, writable.set)
    try:
        await writable.wait()
        send_page(child.sock, page, stderr)
    finally:
        loop.remove_writer(child.sock)


def _kill(child: Child) -> None:
    """Both, because the child leads a group only from a moment after its fork."""
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(child.pidfd, signal.SIGKILL)
    kill_group(child.pid)


@contextlib.contextmanager
def _page() -> Iterator[int]:
    descriptor = make_page()
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "a real-time signal"
