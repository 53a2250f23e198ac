"""What the harness puts around the operations under test: what gives them records, and what keeps theirs."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import orjson

from sliceworks.operations.chain import Chain
from sliceworks.operations.context import OperationContext
from sliceworks.operations.operation_api import Companion
from sliceworks.operations.processors import BatchProcessor, Processor
from sliceworks.operations.reader import Fetcher, ParallelSlicer, Recovery, Slicer
from sliceworks.operations.record import Records
from sliceworks.operations.registry import (
    BUILT_IN,
    ApiKind,
    Catalog,
    OperationKind,
    ProcessorKind,
    ReaderKind,
)
from sliceworks.operations.slicers import SlicerSet
from sliceworks.operations.validation import validate_job
from sliceworks.protocol.documents import ExecutionSpec

Reader: TypeAlias = tuple[type[Slicer] | type[ParallelSlicer], type[Fetcher]]
ApiClasses: TypeAlias = Mapping[str, type[Companion]]

KEEPER = "harness_keeper"
GIVER = "harness_giver"


class Tray:
    """Records on their way into a chain, and out of it."""

    def __init__(self) -> None:
        self.given: Records = []
        self.kept: Records = []

    def take(self) -> Records:
        """What came out since the last call."""
        kept, self.kept = self.kept, []
        return kept

    @property
    def kinds(self) -> tuple[OperationKind, OperationKind]:
        """A reader that gives what is given, and a processor that keeps what it gets."""
        tray = self

        class Giver(Fetcher):
            def fetch(self, request: Any) -> Records:
                return tray.given

        class Keeper(BatchProcessor):
            def on_batch(self, records: Records) -> Records:
                tray.kept += records
                return records

        return ReaderKind(GIVER, NoSlicer, Giver), ProcessorKind(KEEPER, Keeper)


class NoSlicer(Slicer):
    """Stands beside a fetcher that is tried alone."""

    def slice(self) -> None:
        """No slices."""
        return


class NoFetcher(Fetcher):
    """Stands beside a slicer that is tried alone."""

    def fetch(self, request: Any) -> Records:
        """No records."""
        return []


class HarnessChain:
    """A chain of one worker with a temporary folder, in the loop of the harness."""

    def __init__(self, execution: ExecutionSpec, catalog: Catalog, runner: asyncio.Runner) -> None:
        self._runner = runner
        self._scratch = tempfile.TemporaryDirectory(prefix="sliceworks-")
        context = OperationContext(
            worker_id=1,
            node_id="harness",
            hostname="localhost",
            durable=False,
            scratch=Path(self._scratch.name),
        )
        try:
            self.chain = runner.run(Chain.open(execution, context=context, catalog=catalog))
        except BaseException:
            self._scratch.cleanup()
            raise

    def close(self) -> None:
        """Flush and shut down; raises what the operations raise at that."""
        try:
            self._runner.run(self.chain.close())
        finally:
            self._scratch.cleanup()


class HarnessSlicers:
    """All slicers of an execution, asked in turn."""

    def __init__(self, slicers: SlicerSet, recovery: Recovery, runner: asyncio.Runner) -> None:
        self._slicers, self._runner = slicers, runner
        self._positions = {entry["slicer_id"]: entry for entry in recovery}
        self.unfinished = set(range(slicers.slicers))

    def calls(self) -> Iterator[list[bytes]]:
        """The requests of one `slice()` after the other; ends when no slicer has any, for now or for good."""
        has_some = True
        while has_some:
            has_some = False
            for slicer_id in sorted(self.unfinished):
                made = self._runner.run(self._slicers.next(slicer_id))
                if made is None:
                    self.unfinished.discard(slicer_id)
                elif isinstance(made, list):
                    has_some = True
                    self._remember(slicer_id, made[-1])
                    yield made

    def recovery(self) -> Recovery:
        """What slicers need to go on from here."""
        return [self._positions[slicer_id] for slicer_id in sorted(self._positions)]

    def close(self) -> None:
        """Shut the slicers down."""
        self._runner.run(self._slicers.close())

    def _remember(self, slicer_id: int, last: bytes) -> None:
        entry = {"slicer_id": slicer_id, "last_slice": orjson.loads(last)}
        checkpoint = self._slicers.checkpoint(slicer_id)
        self._positions[slicer_id] = entry if checkpoint is None else {**entry, "checkpoint": checkpoint}


def new_runner() -> asyncio.Runner:
    """A loop for the harness; RuntimeError inside another."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.Runner()
    message = "the harness runs an event loop of its own: use it in a plain test, not in an async one"
    raise RuntimeError(message)


def kind_of(name: str, classes: type[Processor] | Reader) -> OperationKind:
    """An operation of these classes."""
    return ReaderKind(name, *classes) if isinstance(classes, tuple) else ProcessorKind(name, classes)


def catalog_with(operations: list[OperationKind], apis: ApiClasses | None) -> Catalog:
    """The built-in operations, and these."""
    return BUILT_IN.extended(operations, [ApiKind(name, api) for name, api in (apis or {}).items()])


def checked(job: Mapping[str, Any], catalog: Catalog) -> ExecutionSpec:
    """The job as an execution; InvalidError with all its faults."""
    document = validate_job({"workers": 1, **job}, catalog=catalog)
    return ExecutionSpec.model_validate({**document, "ex_id": "harness-ex", "job_id": "harness-job"})
