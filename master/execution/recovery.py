"""Taking up the unfinished slices of a lineage: a source of slices beside the slicer child.

Pages of the lineage are asked for while the queue is short.  Their slices become slices of this execution
under the ids that they have; with the last page comes where the slicers stand, and both are written together.
A controller that dies in between leaves its copies in order, and its successor goes on behind the last one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sliceworks.master.execution.events import LoadLineage
from sliceworks.master.execution.model import Slice
from sliceworks.master.execution.queue import SliceQueue
from sliceworks.master.store.batch import Head
from sliceworks.master.store.lineage import PAGE_BYTES, PAGE_SLICES, Kinds
from sliceworks.protocol.documents import ExecutionSpec

_KINDS: Final = {
    None: Kinds.ALL,
    "all": Kinds.ALL,
    "errors": Kinds.ERRORS,
    "pending": Kinds.UNFINISHED,
}


@dataclass(frozen=True, slots=True)
class Inheritance:
    """What an execution takes over from those that it recovers."""

    kinds: Kinds
    ends_after: bool = False
    """Its slicers make nothing; else they go on where those of the lineage stood."""


def inheritance_of(spec: ExecutionSpec) -> Inheritance:
    """As the document of a recovering execution says."""
    ends_after = spec.recovered_slice_type is not None and not spec.autorecover
    return Inheritance(_KINDS[spec.recovered_slice_type], ends_after)


class TakingUp:
    """How far it has come; nothing to do without an inheritance."""

    def __init__(self, inheritance: Inheritance | None, head: Head, last_copy: str) -> None:
        self._inheritance = inheritance
        self._head = head
        self._last_copy = last_copy
        self._loading = False
        self._is_redone = False

    @property
    def finished(self) -> bool:
        """There is nothing more to take up."""
        return self._inheritance is None or self._head.taken_up > 0

    @property
    def ends_execution(self) -> bool:
        """Slicing counts as finished."""
        return self._inheritance is not None and self._inheritance.ends_after

    def wanted(self, queue: SliceQueue) -> list[LoadLineage]:
        """The next page, if the queue is short and none is on its way."""
        is_long = len(queue) > PAGE_SLICES // 2 or queue.size > PAGE_BYTES
        if self.finished or self._loading or is_long:
            return []
        self._loading = True
        return [LoadLineage(self._last_copy)]

    def took(self, items: list[Slice], *, complete: bool) -> None:
        """These are slices of this execution now, recorded with the head."""
        self._loading = False
        self._head.copied += len(items)
        if items:
            self._last_copy = items[-1].slice_id or ""
        if complete and self._inheritance is not None:
            self._head.taken_up = self._inheritance.kinds

    def is_going_on(self, floor: Callable[[], int]) -> bool:
        """Whether a slice that was taken up, or is to be, is still open; `floor`: the lowest open seq."""
        if not self._is_redone:
            self._is_redone = self.finished and floor() > self._head.copied
        return not self._is_redone
