"""Which operations exist, by name, and how to make them for an execution."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import structlog

from sliceworks.operations.base import OperationSetup, WorkerOperation
from sliceworks.operations.builtin.data_generator import DataGeneratorFetcher, DataGeneratorSlicer
from sliceworks.operations.builtin.delay import Delay
from sliceworks.operations.builtin.file_exporter import FileExporter
from sliceworks.operations.builtin.file_reader import FileReaderFetcher, FileReaderSlicer
from sliceworks.operations.builtin.filter import Filter
from sliceworks.operations.builtin.noop import Noop
from sliceworks.operations.builtin.script import Script
from sliceworks.operations.context import OperationContext
from sliceworks.operations.errors import UnknownOperationError
from sliceworks.operations.options import OperationOptions
from sliceworks.operations.processors import Processor
from sliceworks.operations.reader import Fetcher, ParallelSlicer, Slicer
from sliceworks.protocol.documents import ExecutionSpec, OperationSpec
from sliceworks.protocol.errors import Fault, InvalidError

ENGINE_OPTIONS = frozenset({"_api_name", "_connection"})
"""Fields of an operation that are not its own options, besides those of OperationSpec."""


@dataclass(frozen=True, slots=True)
class ReaderKind:
    """An operation for the first place of a job."""

    name: str
    slicer: type[Slicer | ParallelSlicer]
    fetcher: type[Fetcher]

    @property
    def options(self) -> type[OperationOptions]:
        """The schema, shared by slicer and fetcher."""
        return self.slicer.Options


@dataclass(frozen=True, slots=True)
class ProcessorKind:
    """An operation for any other place."""

    name: str
    processor: type[Processor]

    @property
    def options(self) -> type[OperationOptions]:
        """The schema."""
        return self.processor.Options


OperationKind = ReaderKind | ProcessorKind

OPERATIONS: dict[str, OperationKind] = {
    kind.name: kind
    for kind in (
        ReaderKind("data_generator", DataGeneratorSlicer, DataGeneratorFetcher),
        ReaderKind("file_reader", FileReaderSlicer, FileReaderFetcher),
        ProcessorKind("delay", Delay),
        ProcessorKind("file_exporter", FileExporter),
        ProcessorKind("filter", Filter),
        ProcessorKind("noop", Noop),
        ProcessorKind("script", Script),
    )
}


def resolve(name: str) -> OperationKind:
    """The operation of this name; UnknownOperationError carries the nearest names."""
    kind = OPERATIONS.get(name)
    if kind is None:
        raise UnknownOperationError(name, tuple(difflib.get_close_matches(name, OPERATIONS, n=3)))
    return kind


def make_slicer(execution: ExecutionSpec) -> Slicer | ParallelSlicer:
    """The slicer of an execution, not yet initialized."""
    spec = execution.operations[0]
    kind = resolve(spec.op)
    if not isinstance(kind, ReaderKind):
        raise _out_of_place(0, spec.op)
    return kind.slicer(_setup(execution, spec, kind))


def make_worker_operations(execution: ExecutionSpec, context: OperationContext) -> list[WorkerOperation]:
    """The fetcher and the processors of an execution, in order, not yet initialized."""
    operations: list[WorkerOperation] = []
    for place, spec in enumerate(execution.operations):
        kind = resolve(spec.op)
        if isinstance(kind, ReaderKind) != (place == 0):
            raise _out_of_place(place, spec.op)
        make = kind.fetcher if isinstance(kind, ReaderKind) else kind.processor
        operations.append(make(_setup(execution, spec, kind, context=context)))
    return operations


def own_options(spec: OperationSpec) -> dict[str, object]:
    """What the operation itself is told: the fields of its entry that the engine does not use."""
    return {name: value for name, value in spec.options.items() if name not in ENGINE_OPTIONS}


def _setup(
    execution: ExecutionSpec,
    spec: OperationSpec,
    kind: OperationKind,
    *,
    context: OperationContext | None = None,
) -> OperationSetup:
    options = kind.options.model_validate(own_options(spec))
    logger = structlog.get_logger("operation").bind(ex_id=execution.ex_id, op=spec.op)
    return OperationSetup(spec, options, execution, logger, context)


def _out_of_place(place: int, name: str) -> InvalidError:
    wanted = "a reader" if place == 0 else "a processor"
    message = f"operation {name} cannot be in place {place} of a job: {wanted} is wanted there"
    return InvalidError(message, (Fault(f"operations.{place}._op", message),))
