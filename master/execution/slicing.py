"""The slicer child: runs the authors' slicers, and turns what they make into messages.

Each slicer has a credit and makes slices only while it lasts.  What it makes goes out in batches: when enough
is gathered, when a few milliseconds have passed, or at once when it has nothing more for now.  A slicer that
awaits something slow keeps nothing back: the flusher sends what is gathered.  A `slice()` call is never split
over two messages.
"""

from __future__ import annotations

import asyncio
import socket
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

import orjson
import uvloop
from msgspec import Struct

from sliceworks.master.execution.slicer_hooks import HookRunner
from sliceworks.operations.bundle import AssetPlace, BundleError, catalog_of, place_at
from sliceworks.operations.errors import NotRecoverableError
from sliceworks.operations.failure import capped
from sliceworks.operations.slicers import NOTHING_NOW, SlicerSet
from sliceworks.protocol import process
from sliceworks.protocol.codec import Decoder, unpack
from sliceworks.protocol.documents import ExecutionSpec
from sliceworks.protocol.log import change_level, configure_logging
from sliceworks.protocol.messages import (
    ControllerToSlicer,
    LogFrom,
    SliceNews,
    SlicerFailed,
    SlicerReady,
    SlicesMade,
    SlicingFinished,
    StatisticsNews,
    StopSlicing,
    WantSlices,
)
from sliceworks.protocol.pipe import AsyncPipe

BATCH_SLICES: Final = 512
BATCH_BYTES: Final = 1_000_000
BATCH_SECONDS: Final = 0.004
IDLE_FIRST_SECONDS: Final = 0.01
IDLE_MAX_SECONDS: Final = 1.0
OOM_SCORE: Final = 500
"""Authors' code is to be killed before the controller, whose score it would inherit."""


class SlicerStart(Struct, frozen=True):
    """What the child is started with."""

    execution: bytes  # the execution document, JSON
    recovery: list[dict[str, Any]]
    log_level: Literal["trace", "debug", "info", "warn", "error", "fatal"]
    log_format: Literal["auto", "json", "console"]
    assets_directory: str = ""


def run_slicer(sock: socket.socket, payload: bytes) -> int:
    """The child's main: slices until the slicers are done, or the controller says stop, or is gone."""
    process.die_with_parent()
    process.set_oom_score_adj(OOM_SCORE)
    start = unpack(payload, SlicerStart)
    execution = ExecutionSpec.model_validate_json(start.execution)
    configure_logging(level=start.log_level, style=start.log_format, ex_id=execution.ex_id, process="slicer")
    assets_directory = Path(start.assets_directory)
    places = [place_at(assets_directory / asset_id) for asset_id in execution.assets or ()]
    uvloop.run(Slicing(execution, start.recovery, places).run(sock))
    return 0


class _SlicerTask:
    """One slicer: its credit, and what it has made but not sent."""

    def __init__(
        self,
        slicer_id: int,
        pipe: AsyncPipe[ControllerToSlicer],
        slicers: SlicerSet,
        *,
        hooks: HookRunner | None,
    ) -> None:
        self.credit = 0
        self.wanted = asyncio.Event()
        self.gathered = asyncio.Event()
        self._slicer_id = slicer_id
        self._pipe = pipe
        self._slicers = slicers
        self._hooks = hooks
        self._made: list[bytes] = []
        self._size = 0

    async def run(self) -> None:
        """Make slices until there are no more."""
        idle_seconds = IDLE_FIRST_SECONDS
        while True:
            await self._credit()
            outcome = await self._make_batch()
            self.flush()
            if outcome is None:
                self._pipe.send(SlicingFinished(self._slicer_id))
                return
            if outcome is NOTHING_NOW:
                await asyncio.sleep(idle_seconds)
                idle_seconds = min(idle_seconds * 2, IDLE_MAX_SECONDS)
            else:
                idle_seconds = IDLE_FIRST_SECONDS
                await asyncio.sleep(0)

    def flush(self) -> None:
        """Send what is gathered."""
        if self._made:
            self._pipe.send(
                SlicesMade(self._slicer_id, self._made, self._slicers.checkpoint(self._slicer_id))
            )
            self._made, self._size = [], 0

    async def flush_while_waiting(self) -> None:
        """A slicer that waits inside `slice()` must not keep back what it made before."""
        while True:
            await self.gathered.wait()
            await asyncio.sleep(BATCH_SECONDS)
            self.gathered.clear()
            self.flush()

    async def _credit(self) -> None:
        while self.credit <= 0:
            self.wanted.clear()
            await self.wanted.wait()
        if self._hooks:
            await self._hooks.has_room()

    async def _make_batch(self) -> object:
        """Gather until the batch is full; None when the slicer is done, NOTHING_NOW when it has nothing."""
        deadline = time.monotonic() + BATCH_SECONDS
        while self.credit > 0 and len(self._made) < BATCH_SLICES and self._size < BATCH_BYTES:
            requests = await self._slicers.next(self._slicer_id)
            if requests is None or requests is NOTHING_NOW:
                return requests
            self._made += requests
            self.gathered.set()
            self._size += sum([len(request) for request in requests])
            self.credit -= len(requests)
            if time.monotonic() > deadline:
                break
        return True


class Slicing:
    """All slicers of one execution, in one loop."""

    def __init__(
        self, execution: ExecutionSpec, recovery: list[dict[str, Any]], assets: Sequence[AssetPlace] = ()
    ) -> None:
        self._execution = execution
        self._assets = assets
        self._recovery = [_decoded(entry) for entry in recovery]
        self._finished = {entry["slicer_id"] for entry in recovery if entry["finished"]}
        self._tasks: dict[int, _SlicerTask] = {}
        self._hooks: HookRunner | None = None
        self._stop = asyncio.Event()
        self._closed = asyncio.Event()

    async def run(self, sock: socket.socket) -> None:
        pipe: AsyncPipe[ControllerToSlicer] = await AsyncPipe.open(
            sock,
            Decoder(ControllerToSlicer),
            on_message=self._on_message,
            on_closed=self._on_closed,
        )
        try:
            await self._slice(pipe)
        except NotRecoverableError:  # no failure of the author's code: the controller knows what to do
            pipe.send(
                SlicerReady(self._execution.slicers, recoverable=False, relocatable=False, max_queue_length=0)
            )
        except Exception as error:  # noqa: BLE001 - the author's error is the execution's outcome
            pipe.send(SlicerFailed(_text(error)))
        await self._leave(pipe)

    async def _slice(self, pipe: AsyncPipe[ControllerToSlicer]) -> None:
        catalog = catalog_of(self._assets)
        slicers = await SlicerSet.open(self._execution, recovery=self._recovery, catalog=catalog)
        try:
            self._hooks = HookRunner(slicers) if slicers.hooks else None
            self._tasks = {
                n: _SlicerTask(n, pipe, slicers, hooks=self._hooks)
                for n in range(slicers.slicers)
                if n not in self._finished
            }
            pipe.send(
                SlicerReady(
                    slicers.slicers,
                    slicers.recoverable,
                    slicers.relocatable,
                    slicers.max_queue_length,
                    slicers.hooks,
                )
            )
            await self._until_done_or_stopped()
        finally:
            await slicers.close()

    async def _until_done_or_stopped(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                work = [group.create_task(t.run(), name=f"slicer-{n}") for n, t in self._tasks.items()]
                helpers = [
                    group.create_task(t.flush_while_waiting(), name=f"flusher-{n}")
                    for n, t in self._tasks.items()
                ]
                helpers.append(group.create_task(self._end_on_stop(), name="stop"))
                hooks = [group.create_task(self._hooks.run(), name="hooks")] if self._hooks else []
                if work:
                    await asyncio.wait(work)
                for helper in helpers:
                    helper.cancel()
                if self._hooks:
                    await self._stop.wait()
                    await self._hooks.told()
                for helper in hooks:
                    helper.cancel()
        except* _Stopped:
            pass

    async def _end_on_stop(self) -> None:
        await self._stop.wait()
        raise _Stopped

    def _on_message(self, message: ControllerToSlicer) -> None:
        match message:
            case WantSlices(slicer_id, count):
                if task := self._tasks.get(slicer_id):
                    task.credit += count
                    task.wanted.set()
            case SliceNews() | StatisticsNews():
                if self._hooks:
                    self._hooks.tell(message)
            case LogFrom(level):
                change_level(level)
            case StopSlicing():
                self._stop.set()

    def _on_closed(self, _reason: str) -> None:
        self._closed.set()
        self._stop.set()

    async def _leave(self, pipe: AsyncPipe[ControllerToSlicer]) -> None:
        """End only when all is sent: the controller closes the pipe, or says stop."""
        await self._stop.wait()
        pipe.close()
        await self._closed.wait()


class _Stopped(Exception):  # noqa: N818 - not an error
    """The controller wants no more slices."""


def _text(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, BundleError):
        return capped(str(error))
    return capped("".join(traceback.format_exception(error)))


def _decoded(entry: dict[str, Any]) -> dict[str, Any]:
    request = entry["last_slice"]
    return {
        "slicer_id": entry["slicer_id"],
        "last_slice": orjson.loads(request) if request else None,
        "checkpoint": entry["checkpoint"],
    }
