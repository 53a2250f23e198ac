"""One worker process, from its fork until nothing of it is left.

The daemon's half of `host.py`.  Whatever a worker does, its end is told once, and only when everything that it wrote
has been read: exit status and the end of the pipe come in any order, and a grandchild that keeps the pipe open
delays the verdict by a moment only.  A dead worker's process group is killed.

| the worker is ...        | kill                                        | its end                              |
| ------------------------ | ------------------------------------------- | ------------------------------------ |
| waiting for a place      | the wait is cancelled                       | told as never begun                  |
| being forked             | the fork is cancelled, no child is left     | told as never begun                  |
| a process                | SIGKILL to it and its group                 | told with cause and marker           |
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, assert_never

import structlog
from msgspec import msgpack

from sliceworks.protocol.clock import Clock
from sliceworks.protocol.codec import Decoder
from sliceworks.protocol.forkserver import Child, ExitStatus, ForkServer, ForkServerError
from sliceworks.protocol.ids import WorkerId
from sliceworks.protocol.messages import (
    HostFailed,
    HostFinish,
    HostReady,
    HostResults,
    HostToDaemon,
    RunSlices,
)
from sliceworks.protocol.pipe import AsyncPipe
from sliceworks.protocol.process import kill_group
from sliceworks.worker.events import Event, WorkerExited, WorkerReady, WorkerResults, WorkerStartFailed
from sliceworks.worker.marker import InHand, Marker, make_page, send_page
from sliceworks.worker.start import WorkerStart

LAST_WORDS_SECONDS: Final = 0.2  # how long the pipe of a dead worker may stay open
LINGER_SECONDS: Final = 2.0  # how long a worker may live that has closed its pipe

log = structlog.get_logger(__name__)
_decoder: Final[Decoder[HostToDaemon]] = Decoder(HostToDaemon)


@dataclass(frozen=True, slots=True)
class Workshop:
    """What the slots of a node share; `places` is how many workers may live at once."""

    fork_server: ForkServer
    places: asyncio.Semaphore
    clock: Clock


class Slot:
    """A worker of one execution.  `run` is its life; the other methods may be called at any time of it."""

    def __init__(
        self, start: WorkerStart, workshop: Workshop, *, operations: list[str], tell: Callable[[Event], None]
    ) -> None:
        self.worker_id = WorkerId(start.worker_id)
        self.pid = 0
        """0 until it is a process."""
        self._start = start
        self._workshop = workshop
        self._operations = operations
        self._tell = tell
        self._task: asyncio.Task[None] | None = None
        self._child: Child | None = None
        self._pipe: AsyncPipe[HostToDaemon] | None = None
        loop = asyncio.get_running_loop()
        self._exited: asyncio.Future[ExitStatus] = loop.create_future()
        self._closed: asyncio.Future[str] = loop.create_future()
        self._end = WorkerExited(self.worker_id, f"{self._name()} was never started")

    def live(self, group: asyncio.TaskGroup) -> None:
        """Begin the worker's life in `group`; WorkerExited is told at its end, however that comes."""
        self._task = group.create_task(self._live(), name=f"worker-{self.worker_id}")
        self._task.add_done_callback(lambda _: self._tell(self._end))

    def give(self, slices: RunSlices) -> None:
        """Hand over slices; nothing happens if the worker is dead."""
        if self._pipe:
            self._pipe.send(slices)

    def finish(self) -> None:
        """Let it end after the slice in hand."""
        if self._pipe:
            self._pipe.send(HostFinish())

    def kill(self) -> None:
        """End it now."""
        if self._child:
            _kill(self._child)
        elif self._task:
            self._task.cancel()

    async def _live(self) -> None:
        async with self._workshop.places, self._forked() as (child, marker):
            if self._pipe is None:
                return
            status = await self._exit_status(child)
            kill_group(child.pid)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORDS_SECONDS):
                    await asyncio.wait([self._closed])
            self._end = self._obituary(status, marker.read())
            log.info("worker_ended", ex_id=..., worker_id=self.worker_id, pid=child.pid, how=self._end.cause)
