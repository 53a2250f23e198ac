"""The worker process: runs slices, one after the other, and tells its daemon how they ended.

It may block, spin or die: the daemon learns of everything that happens here from the pipe, the marker page
and the exit status.  Signals meant for the daemon's end are ignored, because the daemon decides; if it dies,
so does this process.  Results are told every few milliseconds, those of a slow slice at once.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import traceback
from collections import deque
from pathlib import Path
from time import monotonic_ns, time_ns
from typing import Final, assert_never

import structlog
from msgspec import msgpack

from sliceworks.operations.bundle import BundleError, catalog_of, place_at
from sliceworks.operations.chain import Chain, OperationContext, SliceOutcome, SliceTask
from sliceworks.operations.errors import ShutdownError
from sliceworks.operations.failure import capped
from sliceworks.protocol.codec import Decoder
from sliceworks.protocol.documents import ExecutionSpec
from sliceworks.protocol.ids import Epoch, ExId, Seq, SliceId, slice_id_of
from sliceworks.protocol.log import change_level, configure_logging
from sliceworks.protocol.messages import (
    DaemonToHost,
    HostFailed,
    HostFinish,
    HostReady,
    HostResults,
    LogFrom,
    ResultDetail,
    RunSlices,
)
from sliceworks.protocol.pipe import PipeClosed, SyncPipe
from sliceworks.protocol.process import die_with_parent, set_oom_score_adj
from sliceworks.protocol.states import ResultKind
from sliceworks.worker.marker import Marker, receive_page
from sliceworks.worker.start import WorkerStart
from sliceworks.worker.stderr import adopt_stderr

OOM_SCORE: Final = 500
TELL_NS: Final = 3_000_000
TELL_CHARS: Final = 1_000_000
MAX_NAME_CHARS: Final = 200  # what a message takes as the name of an operation

log = structlog.get_logger(__name__)


def run_worker_process(sock: socket.socket, payload: bytes) -> int:
    """The life of a worker, from its fork to its exit code."""
    die_with_parent()
    set_oom_score_adj(OOM_SCORE)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    marker, stderr = receive_page(sock)
    adopt_stderr(stderr)
    pipe: SyncPipe[DaemonToHost] = SyncPipe(sock, Decoder(DaemonToHost))
    try:
        return asyncio.run(_live(msgpack.decode(payload, type=WorkerStart), pipe=pipe, marker=marker))
    except PipeClosed:
        return 1  # the daemon is gone: nobody waits for anything any more


async def _live(start: WorkerStart, *, pipe: SyncPipe[DaemonToHost], marker: Marker) -> int:
    try:
        execution = _prepare(start)
        assets = tuple(place_at(Path(asset.directory)) for asset in start.assets)
        catalog = catalog_of(assets)
        context = OperationContext(
            worker_id=start.worker_id,
            node_id=start.node_id,
            hostname=start.hostname,
            durable=start.durable,
            scratch=None,
            assets=assets,
        )
        chain = await Chain.open(execution, context=context, marker=marker.operation, catalog=catalog)
    except BundleError as error:
        pipe.send(HostFailed(capped(str(error))))
        return 1
    except (Exception, SystemExit):  # noqa: BLE001 - the author's code: told to the daemon
        pipe.send(HostFailed(capped(traceback.format_exc())))
        return 1
    pipe.send(HostReady())
    await Host(execution.ex_id, chain, pipe=pipe, marker=marker).run()
    return await _close(chain)


def _prepare(start: WorkerStart) -> ExecutionSpec:
    """Give the process the environment and the log that its execution wants."""
    execution = ExecutionSpec.model_validate_json(start.execution)
    os.environ.update({name: str(value) for name, value in execution.env_vars.items()})
    configure_logging(
        level=start.log_level,
        style=start.log_format,
        role="worker",
        ex_id=execution.ex_id,
        worker_id=start.worker_id,
    )
    return execution


async def _close(chain: Chain) -> int:
    try:
        await chain.close()
    except ShutdownError as error:
        log.error("worker_shutdown_failed", exc_info=error)
        return 1
    return 0


class Host:
    """Takes slices from the pipe, runs them, answers."""

    def __init__(self, ex_id: str, chain: Chain, *, pipe: SyncPipe[DaemonToHost], marker: Marker) -> None:
        self._ex_id = ExId(ex_id)
        self._chain = chain
        self._pipe = pipe
        self._marker = marker
        self._todo: deque[SliceTask] = deque()
        self._finishing = False
        self._told_ns = 0
        self._clear_results()

    async def run(self) -> None:
        """Until the daemon says finish; PipeClosed if it dies."""
        while not self._finishing:
            if not self._pipe.poll():
                await _readable(self._pipe.fileno())
            self._take(self._pipe.receive())
            self._told_ns = monotonic_ns()
            await self._work()
        for task in self._todo:
            self._add(task, ResultKind.RETURNED)
        if self._seqs:
            self._tell()

    async def _work(self) -> None:
        """Run what was taken, looking for more, and for the end, whenever results are told."""
        while self._todo and not self._finishing:
            task = self._todo.popleft()
            started_ms = time_ns() // 1_000_000
            began_ns = monotonic_ns()
            self._marker.begin(task.seq, started_ms, began_ns // 1_000_000)
            outcome = await self._chain.run(task)
            now_ns = monotonic_ns()
            self._add(task, outcome.kind, started_ms=started_ms, run_us=(now_ns - began_ns) // 1000)
            if outcome.kind is not ResultKind.COMPLETED:
                self._explain(outcome)
                del outcome  # with all that its error refers to
            if now_ns - self._told_ns > TELL_NS or self._chars > TELL_CHARS:
                self._tell()
                await asyncio.sleep(0)  # whatever else the author's code runs in this loop gets its turn
                while self._pipe.poll():
                    self._take(self._pipe.receive())
        if self._seqs:
            self._tell()

    def _take(self, message: DaemonToHost) -> None:
        match message:
            case RunSlices():
                self._todo += self._tasks(message)
            case HostFinish():
                self._finishing = True
            case LogFrom(level):
                change_level(level)
            case _ as never:
                assert_never(never)

    def _tasks(self, slices: RunSlices) -> list[SliceTask]:
        ids, retries, ex_id = slices.slice_ids, slices.retries, self._ex_id
        return [
            SliceTask(
                slice_id=SliceId(ids[seq]) if seq in ids else slice_id_of(ex_id, Seq(seq)),
                seq=Seq(seq),
                epoch=Epoch(epoch),
                request=request,
                retries=retries.get(seq, 0),
            )
            for seq, epoch, request in zip(slices.seqs, slices.epochs, slices.requests, strict=True)
        ]

    def _add(self, task: SliceTask, kind: ResultKind, *, started_ms: int = 0, run_us: int = 0) -> None:
        self._seqs.append(task.seq)
        self._epochs.append(task.epoch)
        self._kinds.append(kind)
        self._started_ms.append(started_ms)
        self._run_us.append(run_us)

    def _explain(self, outcome: SliceOutcome) -> None:
        self._details[len(self._seqs) - 1] = ResultDetail(outcome.error, outcome.op[:MAX_NAME_CHARS])
        self._chars += len(outcome.error)

    def _tell(self) -> None:
        results = HostResults(
            seqs=self._seqs,
            epochs=self._epochs,
            kinds=bytes(self._kinds),
            started_ms=self._started_ms,
            run_us=self._run_us,
            details=self._details,
            operations=self._chain.take_totals(),
        )
        self._pipe.send(results)
        self._marker.clear()
        self._clear_results()
        self._told_ns = monotonic_ns()

    def _clear_results(self) -> None:
        self._seqs: list[int] = []
        self._epochs: list[int] = []
        self._kinds = bytearray()
        self._started_ms: list[int] = []
        self._run_us: list[int] = []
        self._details: dict[int, ResultDetail] = {}
        self._chars = 0


async def _readable(descriptor: int) -> None:
    """Wait until there is something to read; the loop goes on with what else the author's code runs in it."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
