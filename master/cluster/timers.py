"""Deadlines: at most one for each thing that has to be looked at again, kept in a heap.

Setting a deadline replaces the one before; entries of replaced ones are skipped when they come up.
"""

from __future__ import annotations

import heapq
from typing import Generic, TypeVar

K = TypeVar("K", bound=tuple[str, str])


class Timers(Generic[K]):
    """The next deadline of each key, in milliseconds."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, K]] = []
        self._deadlines: dict[K, int] = {}

    def set(self, key: K, deadline_ms: int | None) -> None:
        """Look at `key` again then; None: not by itself."""
        if deadline_ms is None:
            self._deadlines.pop(key, None)
        elif self._deadlines.get(key) != deadline_ms:
            self._deadlines[key] = deadline_ms
            heapq.heappush(self._heap, (deadline_ms, key))

    def next_ms(self) -> int | None:
        """The earliest deadline."""
        while self._heap and self._deadlines.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, now_ms: int) -> list[K]:
        """The keys whose deadline has come; they have none any more."""
        found: list[K] = []
        while (first := self.next_ms()) is not None and first <= now_ms:
            _, key = heapq.heappop(self._heap)
            del self._deadlines[key]
            found.append(key)
        return found
