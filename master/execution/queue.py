"""Slices that wait: in order, or for the end of a retry delay.  Counts what they hold in bytes."""

from __future__ import annotations

import heapq
from collections import deque

from sliceworks.master.execution.model import Slice


class SliceQueue:
    """Durable slices that are not leased."""

    def __init__(self) -> None:
        self._ready: deque[Slice] = deque()
        self._delayed: list[tuple[int, int, Slice]] = []
        self.size = 0  # bytes of the requests held

    def __len__(self) -> int:
        return len(self._ready)

    @property
    def delayed(self) -> int:
        """Slices that wait for their next try."""
        return len(self._delayed)

    @property
    def next_due_ms(self) -> int | None:
        """When the first delayed slice is ready."""
        return self._delayed[0][0] if self._delayed else None

    def all(self) -> list[Slice]:
        """Every slice that is here, waiting for its next try or not."""
        return [*self._ready, *(item for _, _, item in self._delayed)]

    def extend(self, items: list[Slice]) -> None:
        """Add new slices at the end."""
        self._ready.extend(items)
        self.size += sum(len(item.request) for item in items)

    def put_back(self, item: Slice, due_ms: int | None = None) -> None:
        """Take a slice back: first in line, or after a delay."""
        self.size += len(item.request)
        if due_ms is None:
            self._ready.appendleft(item)
        else:
            heapq.heappush(self._delayed, (due_ms, item.seq, item))

    def release_due(self, now_ms: int) -> None:
        """Move slices whose delay is over to the front."""
        while self._delayed and self._delayed[0][0] <= now_ms:
            self._ready.appendleft(heapq.heappop(self._delayed)[2])

    def take(self, count: int) -> list[Slice]:
        """Remove the next `count` slices, or fewer."""
        ready = self._ready
        items = [ready.popleft() for _ in range(min(count, len(ready)))]
        self.size -= sum([len(item.request) for item in items])
        return items

    def lowest_seq(self) -> int | None:
        """The smallest seq that waits here."""
        seqs = [item.seq for item in self._ready]
        seqs += [item.seq for _, _, item in self._delayed]
        return min(seqs, default=None)
