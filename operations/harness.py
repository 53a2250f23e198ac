"""Runs an operation, a slicer or a whole job in the calling process: what tests of operations are made with.

Everything is made and called as a worker or a slicer child does it: options are checked against the schema,
`initialize`, the hooks and `shutdown` are called, APIs are there.  What is not there is the cluster: one
worker, no time between tries, nothing stored.  The functions are plain and run a loop of their own, whether
operations are `async` or not: call them from plain tests, not from `async` ones.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import orjson

from sliceworks.operations.chain import Chain, SliceOutcome, SliceTask
from sliceworks.operations.harness_parts import (
    GIVER,
    KEEPER,
    ApiClasses,
    HarnessChain,
    HarnessSlicers,
    NoFetcher,
    NoSlicer,
    Reader,
    Tray,
    catalog_with,
    checked,
    kind_of,
    new_runner,
)
from sliceworks.operations.processors import Processor
from sliceworks.operations.reader import Fetcher, ParallelSlicer, Recovery, Slicer
from sliceworks.operations.record import Records
from sliceworks.operations.registry import OperationKind, ReaderKind, resolve
from sliceworks.operations.slicers import SlicerSet
from sliceworks.protocol.documents import ExecutionSpec
from sliceworks.protocol.ids import Epoch, Seq, SliceId
from sliceworks.protocol.states import ResultKind

__all__ = ["FailedSlice", "JobRun", "OperationHarness", "SlicerRun", "run_job", "run_slicer"]


class OperationHarness:
    """One processor or fetcher, from `initialize` to `shutdown`; a context manager."""

    def __init__(
        self,
        operation: type[Processor] | type[Fetcher] | str,
        options: Mapping[str, Any] | None = None,
        *,
        apis: ApiClasses | None = None,
        job: Mapping[str, Any] | None = None,
    ) -> None:
        """`operation` is a class, or the name of a built-in operation; `options` its entry in a job.

        `apis` are classes of APIs and observers by their names; the job lists each of them without options,
        unless `job`, which may hold any field of a job but its operations, has `apis` of its own.  Raises
        InvalidError for wrong options, and what `initialize` raises.
        """
        self._tray = Tray()
        giver, keeper = self._tray.kinds
        kind = _tried(operation)
        self._takes_request = isinstance(kind, ReaderKind)
        entry = {"_op": kind.name, **(options or {})}
        entries = [entry] if self._takes_request else [{"_op": GIVER}, entry]
        listed = {"apis": [{"_name": name} for name in apis or ()]}
        catalog = catalog_with([giver, keeper, kind], apis)
        execution = checked({**listed, **(job or {}), "operations": [*entries, {"_op": KEEPER}]}, catalog)
        self._numbers = itertools.count(1)
        self._runner = new_runner()
        try:
            self._chain: HarnessChain | None = HarnessChain(execution, catalog, self._runner)
        except BaseException:
            self._runner.close()
            raise
        parts = self._chain.chain.parts
        self.operation: Any = parts.operations[len(entries) - 1]
        """The operation itself."""
        self._access = parts.access

    def run(self, data: Any, *, retries: int = 0) -> Records:
        """One try of a slice: the records that come out of it.

        `data`: the records for a processor, the request for a fetcher.  Raises what the operation raises.
        With `retries`, so many tries of this slice have failed before.
        """
        if self._chain is None:
            message = "the harness is closed"
            raise RuntimeError(message)
        request = data if self._takes_request else None
        self._tray.given = [] if self._takes_request else data
        task = _task(next(self._numbers), orjson.dumps(request), retries)
        self._tray.take()
        outcome = self._runner.run(self._chain.chain.run(task))
        if outcome.cause is not None:
            raise outcome.cause
        return self._tray.take()

    def get_api(self, name: str) -> Any:
        """What the API of this name handed out."""
        return self._access.get(name)

    def close(self) -> Records:
        """Flush and shut down, once; the records that the flush gave.

        Raises ShutdownError if something failed at that.
        """
        if self._chain is None:
            return []
        chain, self._chain = self._chain, None
        self._tray.take()
        try:
            chain.close()
        finally:
            self._runner.close()
        return self._tray.take()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class SlicerRun:
    """What slicers made."""

    requests: list[Any]
    """All requests, in the order in which they were made."""
    recovery: Recovery
    """What `initialize` of a slicer gets that goes on from here: hand it to `run_slicer`."""
    is_finished: bool
    """Whether all slicers have said that they are done."""


def run_slicer(
    slicer: type[Slicer] | type[ParallelSlicer] | str,
    options: Mapping[str, Any] | None = None,
    *,
    recovery: Recovery | None = None,
    limit: int | None = None,
    job: Mapping[str, Any] | None = None,
) -> SlicerRun:
    """Run a slicer (a class, or the name of a built-in reader) to its end, or until it has no more for now.

    With `limit` it ends after the call that makes at least so many requests; with `recovery` it goes on
    after those.  `job` may hold any field of a job but its operations: `slicers`, `lifecycle`.  Raises
    InvalidError for wrong options, SlicerError, and what the slicer raises.
    """
    kind = resolve(slicer) if isinstance(slicer, str) else ReaderKind(slicer.__name__, slicer, NoFetcher)
    catalog = catalog_with([kind], None)
    entry = {"_op": kind.name, **(options or {})}
    execution = checked({**(job or {}), "operations": [entry, {"_op": "noop"}]}, catalog)
    with new_runner() as runner:
        opening = SlicerSet.open(execution, recovery=recovery or [], catalog=catalog)
        slicers = HarnessSlicers(runner.run(opening), recovery or [], runner)
        requests: list[Any] = []
        try:
            for made in slicers.calls():
                requests += (orjson.loads(request) for request in made)
                if limit is not None and len(requests) >= limit:
                    break
        finally:
            slicers.close()
    return SlicerRun(requests, slicers.recovery(), is_finished=not slicers.unfinished)


@dataclass(frozen=True, slots=True)
class FailedSlice:
    """A slice whose last try failed."""

    request: Any
    op: str
    """The operation that failed."""
    error: str
    """What operators would read."""
    tries: int


@dataclass(slots=True)
class JobRun:
    """What became of a job."""

    records: Records = field(default_factory=list)
    """What came out of the last operation: slice after slice, then what the flush gave."""
    slices: int = 0
    failed: list[FailedSlice] = field(default_factory=list)


def run_job(
    job: Mapping[str, Any],
    *,
    operations: Mapping[str, type[Processor] | Reader] | None = None,
    apis: ApiClasses | None = None,
    limit: int | None = None,
) -> JobRun:
    """Run a job as it would be posted, with one worker, to its end or until `limit` slices are done.

    `operations` and `apis` are the classes that it names besides the built-in ones: a processor, or a
    slicer and a fetcher.  A slice that fails is tried again at once, as often as the job says.  Raises
    InvalidError with all faults of the job, and what the slicer raises.
    """
    tray = Tray()
    own = [kind_of(name, classes) for name, classes in (operations or {}).items()]
    catalog = catalog_with([*own, *tray.kinds], apis)
    checked(job, catalog)  # for its faults, with the places that the caller knows
    execution = checked({**job, "operations": [*job["operations"], {"_op": KEEPER}]}, catalog)
    result = JobRun()
    with new_runner() as runner:
        slicers = HarnessSlicers(
            runner.run(SlicerSet.open(execution, recovery=[], catalog=catalog)), [], runner
        )
        try:
            worker = HarnessChain(execution, catalog, runner)
            try:
                for request in itertools.islice(itertools.chain.from_iterable(slicers.calls()), limit):
                    result.slices += 1
                    _run_slice(request, result, tray=tray, runner=runner, worker=worker.chain, job=execution)
            finally:
                worker.close()
        finally:
            slicers.close()
    result.records += tray.take()
    return result


def _run_slice(
    request: bytes,
    result: JobRun,
    *,
    tray: Tray,
    runner: asyncio.Runner,
    worker: Chain,
    job: ExecutionSpec,
) -> None:
    """Try a slice until it succeeds, or may not be tried again."""
    tries = 1 if job.max_attempts == 1 else 1 + job.max_retries
    for retries in range(tries):
        outcome: SliceOutcome = runner.run(worker.run(_task(result.slices, request, retries)))
        records = tray.take()
        if outcome.kind is ResultKind.COMPLETED:
            result.records += records
            return
        if outcome.kind is ResultKind.FATAL:
            break
    failed = FailedSlice(orjson.loads(request), outcome.op, outcome.error, retries + 1)
    result.failed.append(failed)


def _task(number: int, request: bytes, retries: int) -> SliceTask:
    return SliceTask(SliceId(f"slice-{number}"), Seq(number), Epoch(1 + retries), request, retries)


def _tried(operation: type[Processor] | type[Fetcher] | str) -> OperationKind:
    """The kind of what is tried; a fetcher alone is a reader without slices."""
    if isinstance(operation, str):
        return resolve(operation)
    if issubclass(operation, Fetcher):
        slicer = type("Alone", (NoSlicer,), {"Options": operation.Options})
        return ReaderKind(operation.__name__, slicer, operation)
    return kind_of(operation.__name__, operation)
