"""Base classes of readers: a slicer makes requests, a fetcher turns each of them into records.

A request is any JSON value but null, at most 1 MB as text.  It should say what to read, not hold it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sliceworks.operations.base import Maybe, Operation, WorkerOperation
from sliceworks.operations.record import Records

Recovery: TypeAlias = list[dict[str, Any]]
"""`{"slicer_id": 0, "last_slice": <its last request>}` for each slicer that had made slices, with
`checkpoint` if it had given one."""


@dataclass(frozen=True, slots=True)
class SliceInfo:
    """A slice, as the hooks of its slicer get it."""

    slice_id: str
    slicer_id: int
    slicer_order: int
    request: Any


@dataclass(frozen=True, slots=True)
class SliceEnd:
    """How a slice ended."""

    slice: SliceInfo
    state: Literal["completed", "error"]


class _SlicerBase(Operation):
    """The hooks `on_…` tell what happened and is on record; they run beside `slice`, in the same loop.

    What they raise is logged.  After a stop, or the death of the controller, what was not told yet never is:
    a hook is for acknowledging, counting and showing, not for what must not be missed.
    """

    def initialize(self, recovery: Recovery) -> Maybe:
        """Called once before the first slice; `recovery` is empty unless slicing goes on where it was."""
        return None

    def is_recoverable(self) -> bool | Awaitable[bool]:
        """Whether `initialize` can go on from `recovery`; otherwise a run ends with its controller."""
        return False

    def is_relocatable(self) -> bool | Awaitable[bool]:
        """Whether slicing may go on on another host."""
        return False

    def on_slice_enqueued(self, sliced: SliceInfo) -> Maybe:
        """A slice is on record and waits for a worker."""
        return None

    def on_slice_dispatch(self, sliced: SliceInfo) -> Maybe:
        """A slice was given to a worker, for the first time or again."""
        return None

    def on_slice_complete(self, result: SliceEnd) -> Maybe:
        """A slice is done: `completed`, or `error` when it is not tried again."""
        return None

    def on_execution_stats(self, statistics: Mapping[str, Any]) -> Maybe:
        """Every few seconds: the counters of the execution, named as in the API (`processed`, `failed` …)."""
        return None

    def max_queue_length(self) -> int | Awaitable[int]:
        """How many slices may wait to be worked on before this slicer is left alone."""
        return 10_000


class Slicer(_SlicerBase):
    """Makes all slices of a job, one after the other, whatever `slicers` says."""

    def slice(self) -> Any:
        """A request, a list of requests, or None when there are no more.

        In a persistent job None means nothing now: it is asked again later.  An empty list means that in
        any job.
        """
        raise NotImplementedError

    def checkpoint(self) -> bytes | Awaitable[bytes | None] | None:
        """What `initialize` needs besides the last request; stored together with the slices made so far."""
        return None


class ParallelSlicer(_SlicerBase):
    """Makes as many slicers as the job's `slicers` says; they must share the work without overlap."""

    def new_slicer(self, *args: Any, **kwargs: Any) -> Any:
        """Called once for each slicer, with its number from 0 if it takes an argument.

        Returns a function, or an object with `slice()`: each call of it answers as `Slicer.slice` does.
        None stands for a slicer that has nothing to do.
        """
        raise NotImplementedError


class Fetcher(WorkerOperation):
    """Turns requests into records."""

    def fetch(self, request: Any) -> Records | Awaitable[Records]:
        """The records that `request` stands for, as a list; a request may be fetched more than once."""
        raise NotImplementedError
