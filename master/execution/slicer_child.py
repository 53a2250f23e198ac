"""The controller's handle on its slicer child: spawned from the nursery, told and heard over its pipe.

One child at a time.  Its messages are handled before its death is told, because the pipe is read to its end
first.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import Any, Final

import structlog
from msgspec import structs

from sliceworks.master.execution.events import Event, SlicerDied
from sliceworks.master.execution.slicing import SlicerStart
from sliceworks.protocol.codec import Decoder, pack
from sliceworks.protocol.forkserver import Child, ExitStatus, ForkServer
from sliceworks.protocol.messages import ControllerToSlicer, LogFrom, SlicerToController, StopSlicing
from sliceworks.protocol.pipe import AsyncPipe

LEAVE_SECONDS: Final = 3

log = structlog.get_logger(__name__)


class SlicerChild:
    """Starts the child and passes messages both ways."""

    def __init__(self, forks: ForkServer, start: SlicerStart, tell: Callable[[Event], None]) -> None:
        self._forks = forks
        self._start = start
        self._tell = tell
        self._pipe: AsyncPipe[SlicerToController] | None = None
        self._child: Child | None = None
        self._status: ExitStatus | None = None
        self._closed = False
        self._gone = asyncio.Event()
        self._stopping = False

    async def start(self, recovery: list[dict[str, Any]]) -> None:
        """Spawn a child; the one before is dead."""
        payload = structs.replace(self._start, recovery=recovery)
        self._status, self._closed = None, False
        self._gone.clear()
        self._child = await self._forks.spawn("slicer", pack(payload), on_exit=self._on_exit)
        self._pipe = await AsyncPipe.open(
            self._child.sock,
            Decoder[SlicerToController](SlicerToController),
            on_message=self._tell,
            on_closed=self._on_closed,
        )

    def send(self, message: ControllerToSlicer) -> None:
        """Tell the child; if there is none only a level of logging is kept, for the next one."""
        self._stopping = self._stopping or isinstance(message, StopSlicing)
        if isinstance(message, LogFrom):
            self._start = structs.replace(self._start, log_level=message.level)
        if self._pipe is not None:
            self._pipe.send(message)

    async def left(self) -> None:
        """Wait for a child that was told to stop: its slicers are shut down meanwhile, its hooks called."""
        if self._child is None or not self._stopping:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._gone.wait()

    def _on_exit(self, status: ExitStatus) -> None:
        self._status = status
        self._judge()

    def _on_closed(self, reason: str) -> None:
        if reason:
            log.error("slicer_pipe_broken", reason=reason)
        self._closed = True
        self._judge()

    def _judge(self) -> None:
        if self._status is None or not self._closed or self._child is None:
            return
        os.close(self._child.pidfd)
        self._child, self._pipe = None, None
        self._gone.set()
        if not self._stopping:
            self._tell(SlicerDied(_describe(self._status)))


def _describe(status: ExitStatus) -> str:
    if status.signal is not None:
        return f"killed by signal {status.signal}"
    return f"exit code {status.exit_code}" if status.exit_code is not None else "end not known"
