"""The slices that this node holds and no worker has: in order, and handed back from the end."""

from __future__ import annotations

from collections import deque
from itertools import accumulate
from typing import TypeAlias

from sliceworks.protocol.messages import RunSlices
from sliceworks.worker.pace import GIVE_BYTES

Lease: TypeAlias = tuple[int, int]
"""Seq and epoch."""


class LeaseQueue:
    """First in, first out; what few slices have besides their request is kept aside."""

    def __init__(self) -> None:
        self._items: deque[tuple[int, int, bytes]] = deque()
        self._slice_ids: dict[Lease, str] = {}
        self._retries: dict[Lease, int] = {}

    def __len__(self) -> int:
        return len(self._items)

    def add(self, slices: RunSlices) -> None:
        """Append granted slices."""
        self._items.extend(zip(slices.seqs, slices.epochs, slices.requests, strict=True))
        if slices.slice_ids or slices.retries:
            leases = dict(zip(slices.seqs, zip(slices.seqs, slices.epochs, strict=True), strict=True))
            self._slice_ids |= {leases[seq]: text for seq, text in slices.slice_ids.items() if seq in leases}
            self._retries |= {leases[seq]: count for seq, count in slices.retries.items() if seq in leases}

    def take(self, count: int) -> RunSlices:
        """Remove the first `count` slices, fewer if they are large; at least one: the queue is not empty."""
        items = self._items
        if count == 1:
            seq, epoch, request = items.popleft()
            return self._with_extras([seq], [epoch], [request])
        batch = [items.popleft() for _ in range(min(count, len(items)))]
        fitting = _fitting(batch)
        items.extendleft(reversed(batch[fitting:]))
        del batch[fitting:]
        return self._with_extras([i[0] for i in batch], [i[1] for i in batch], [i[2] for i in batch])

    def take_back(self, count: int) -> list[Lease]:
        """Remove the last `count` slices, or all that there are."""
        items = self._items
        leases = [items.pop()[:2] for _ in range(min(count, len(items)))]
        for lease in leases:
            self._slice_ids.pop(lease, None)
            self._retries.pop(lease, None)
        return leases

    def leases(self) -> list[Lease]:
        """What is queued, in order."""
        return [item[:2] for item in self._items]

    def _with_extras(self, seqs: list[int], epochs: list[int], requests: list[bytes]) -> RunSlices:
        if not self._slice_ids and not self._retries:
            return RunSlices(seqs, epochs, requests)
        leases = list(zip(seqs, epochs, strict=True))
        slice_ids = {lease[0]: self._slice_ids.pop(lease) for lease in leases if lease in self._slice_ids}
        retries = {lease[0]: self._retries.pop(lease) for lease in leases if lease in self._retries}
        return RunSlices(seqs, epochs, requests, slice_ids, retries)


def _fitting(batch: list[tuple[int, int, bytes]]) -> int:
    """How many of the first slices go into one frame."""
    sizes = accumulate(len(item[2]) for item in batch)
    return max(1, sum(size <= GIVE_BYTES for size in sizes))
