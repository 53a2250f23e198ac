"""One operation of the chain as one call: records in, records out.

What can be known before the first slice is decided here, once: whether the call must be awaited, and
whether the operation can take a `RecordBatch`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sliceworks.operations.base import WorkerOperation
from sliceworks.operations.processors import Processor, RecordProcessor
from sliceworks.operations.reader import Fetcher
from sliceworks.operations.record import RecordBatch


@dataclass(frozen=True, slots=True)
class Step:
    """An operation, ready to be called."""

    mark: int  # its place in the job + 1
    call: Callable[[Any], Any]
    is_async: bool
    takes_batch: bool


def steps_of(operations: Sequence[WorkerOperation]) -> list[Step]:
    """The steps of a job, in order: a fetcher, whose argument is the request, then processors."""
    return [_step(place, operation) for place, operation in enumerate(operations)]


def argument_for(step: Step, records: list[Any]) -> list[Any]:
    """The records in the form that the step can take."""
    if isinstance(records, RecordBatch) and not step.takes_batch:
        return list(records.entities())
    return records


def not_a_list(step: Step, answer: Any) -> TypeError:
    """The error for a step that returned something else."""
    method = getattr(step.call, "__name__", "the operation")
    return TypeError(f"{method} returned {type(answer).__name__}, it must return a list of records")


def _step(place: int, operation: WorkerOperation) -> Step:
    if isinstance(operation, Fetcher):
        is_async = inspect.iscoroutinefunction(operation.fetch)
        return Step(place + 1, operation.fetch, is_async, takes_batch=True)
    if not isinstance(operation, Processor):
        message = f"{type(operation).__name__} is neither a fetcher nor a processor"
        raise TypeError(message)
    is_async = inspect.iscoroutinefunction(operation.on_batch)
    if isinstance(operation, RecordProcessor):
        is_async = is_async or operation.is_async
    return Step(place + 1, operation.on_batch, is_async, operation.keeps_batches)
