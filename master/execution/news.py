"""What slicers hear of their slices, if they want to: queued, given to a worker, done; and the counters.

Only made when the slicer child lists hooks that its slicer overrides; without any, nothing of this runs.  All
of it is read off the batches that are written, and told once they are durable, so a slicer never hears of
something that did not happen.  What a controller or slicer child that dies has not told is not told again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sliceworks.master.execution.model import Slice
from sliceworks.master.store.batch import Batch, Group
from sliceworks.protocol.ids import ExId, Seq, slice_id_of
from sliceworks.protocol.messages import SliceNews, Statistics, StatisticsNews
from sliceworks.protocol.states import SliceState

STATISTICS_MS: Final = 5_000
HOOKS: Final = ("enqueued", "dispatch", "complete", "statistics")

_About = tuple[int, int, bytes, str]
"""Slicer, order, request and id of a slice."""


class News:
    """What one slicer child wants to hear.  `taken` and `written` follow the batches one by one."""

    def __init__(self, ex_id: str, hooks: Iterable[str], now_ms: int) -> None:
        self._ex_id = ExId(ex_id)
        self._hooks = frozenset(hooks)
        self._living: dict[int, _About] = {}
        self._waiting: list[SliceNews] = []
        self._statistics_due_ms = now_ms

    @property
    def next_due_ms(self) -> int | None:
        """When the counters are to be told."""
        return self._statistics_due_ms if "statistics" in self._hooks else None

    def know(self, items: Iterable[Slice]) -> None:
        """Slices that are on record already."""
        for item in items:
            slice_id = item.slice_id or slice_id_of(self._ex_id, Seq(item.seq))
            self._living[item.seq] = (item.slicer_id, item.order, item.request, slice_id)

    def taken(self, batch: Batch) -> None:
        """This is about to be written."""
        for group in batch.groups:
            self._enqueued(group)
            self._dispatched(group)
            self._ended(group)

    def written(self) -> list[SliceNews]:
        """It is durable."""
        news, self._waiting = self._waiting, []
        return news

    def statistics(self, now_ms: int, counters: Statistics) -> list[StatisticsNews]:
        """The counters, if it is time."""
        if "statistics" not in self._hooks or now_ms < self._statistics_due_ms:
            return []
        self._statistics_due_ms = now_ms + STATISTICS_MS
        return [StatisticsNews(counters)]

    def _enqueued(self, group: Group) -> None:
        for seq, slicer_id, order, request, *_ in group.inserts:
            self._living[seq] = (slicer_id, order, request, slice_id_of(self._ex_id, Seq(seq)))
        self._tell("enqueued", [row[0] for row in group.inserts])

    def _dispatched(self, group: Group) -> None:
        seqs = [row[0] for row in group.inserts if row[4] == SliceState.START]
        seqs += [row[-1] for row in (*group.first_leases, *group.later_leases)]
        self._tell("dispatch", seqs)

    def _ended(self, group: Group) -> None:
        completed = [row[-1] for row in group.completions]
        completed += [row[-1] for row in group.ends if row[0] == SliceState.COMPLETED]
        failed = [row[-1] for row in group.ends if row[0] == SliceState.ERROR]
        self._tell("complete", completed, state=SliceState.COMPLETED)
        self._tell("complete", failed, state=SliceState.ERROR)
        for seq in (*completed, *failed):
            self._living.pop(seq, None)

    def _tell(self, what: str, seqs: list[int], *, state: SliceState = SliceState.PENDING) -> None:
        known = [self._living[seq] for seq in seqs if seq in self._living] if what in self._hooks else []
        if known:
            slicer_ids, orders, requests, slice_ids = (list(column) for column in zip(*known, strict=True))
            self._waiting.append(SliceNews(what, int(state), slice_ids, slicer_ids, orders, requests))
