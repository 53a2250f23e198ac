"""Which node runs how many workers of which execution.  Pure; called anew whenever anything changes.

What always holds: a node never gets more than its slots; what runs stays where it is while it is wanted; an
execution without a worker gets its first before another one gets its second; then the older execution is
served first.  Workers of one execution spread evenly.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TypeAlias

Placement: TypeAlias = dict[str, int]  # node_id -> workers


class Access(Enum):
    """What an allocation may do with a node."""

    OPEN = auto()
    KEEPS = auto()  # silent for a while: its workers may well run, but it gets no more
    CLOSED = auto()  # draining or lost: nothing may be there


@dataclass(frozen=True, slots=True)
class Room:
    """A node as the allocation sees it."""

    node_id: str
    slots: int
    access: Access = Access.OPEN
    taken: int = 0  # slots that no demand of this round can have, for instance of workers that are ending
    running: Mapping[str, int] = field(default_factory=dict)  # ex_id -> workers that hold a slot now


@dataclass(frozen=True, slots=True)
class Demand:
    """An execution as the allocation sees it."""

    ex_id: str
    wanted: int
    placed: Mapping[str, int] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)  # node_id -> at most so many there


def place(demands: Sequence[Demand], rooms: Sequence[Room]) -> dict[str, Placement]:
    """The workers of each demand by node; demands come in the order in which they are served."""
    allocation = _Allocation(rooms, demands)
    for demand in demands:
        allocation.keep(demand)
    for demand in demands:
        if not allocation.total(demand):
            allocation.grow(demand, 1)
    for demand in demands:
        allocation.grow(demand, demand.wanted - allocation.total(demand))
    return {demand.ex_id: allocation.of(demand) for demand in demands}


class _Allocation:
    """Slots of every node, and what was given of them so far."""

    def __init__(self, rooms: Sequence[Room], demands: Sequence[Demand]) -> None:
        self._rooms = {room.node_id: room for room in rooms}
        self._placed: dict[str, Placement] = {demand.ex_id: {} for demand in demands}
        self._left = {room.node_id: room.slots for room in rooms}  # slots that nothing is placed in
        self._free = {room.node_id: room.slots - room.taken - sum(room.running.values()) for room in rooms}

    def of(self, demand: Demand) -> Placement:
        return {node_id: count for node_id, count in self._placed[demand.ex_id].items() if count}

    def total(self, demand: Demand) -> int:
        return sum(self._placed[demand.ex_id].values())

    def keep(self, demand: Demand) -> None:
        """Leave what is placed where it is, as far as node and wish allow."""
        for node_id in sorted(demand.placed):
            room = self._rooms.get(node_id)
            if room is None or room.access is Access.CLOSED:
                continue
            limit = min(demand.placed[node_id], demand.limits.get(node_id, demand.placed[node_id]))
            while self._placed[demand.ex_id].get(node_id, 0) < limit and self._take(demand, node_id):
                pass
        self._trim(demand)

    def grow(self, demand: Demand, count: int) -> None:
        """Place up to `count` more, each where the execution has fewest, then where most is free."""
        heap = [
            self._rank(demand, node_id)
            for node_id, room in self._rooms.items()
            if room.access is Access.OPEN and self._has_place(demand, node_id)
        ]
        heapq.heapify(heap)
        while count > 0 and heap:
            node_id = heapq.heappop(heap)[2]
            limit = demand.limits.get(node_id)
            if limit is not None and self._placed[demand.ex_id].get(node_id, 0) >= limit:
                continue
            if self._take(demand, node_id):
                count -= 1
                heapq.heappush(heap, self._rank(demand, node_id))

    def _trim(self, demand: Demand) -> None:
        """Take away what is not wanted, from where there is most; silent nodes keep theirs longest."""
        placed = self._placed[demand.ex_id]
        while sum(placed.values()) > demand.wanted:
            node_id = max(
                placed, key=lambda node: (placed[node] > 0 and self._is_open(node), placed[node], node)
            )
            placed[node_id] -= 1
            self._left[node_id] += 1
            if placed[node_id] >= self._running(demand, node_id):
                self._free[node_id] += 1

    def _take(self, demand: Demand, node_id: str) -> bool:
        """Place one worker on the node, if a slot is free or the execution holds one there already."""
        if not self._has_place(demand, node_id):
            return False
        placed = self._placed[demand.ex_id]
        count = placed.get(node_id, 0)
        if count >= self._running(demand, node_id):
            self._free[node_id] -= 1
        self._left[node_id] -= 1
        placed[node_id] = count + 1
        return True

    def _has_place(self, demand: Demand, node_id: str) -> bool:
        count = self._placed[demand.ex_id].get(node_id, 0)
        return self._left[node_id] > 0 and (self._free[node_id] > 0 or count < self._running(demand, node_id))

    def _rank(self, demand: Demand, node_id: str) -> tuple[int, int, str]:
        return self._placed[demand.ex_id].get(node_id, 0), -self._free[node_id], node_id

    def _running(self, demand: Demand, node_id: str) -> int:
        return self._rooms[node_id].running.get(demand.ex_id, 0)

    def _is_open(self, node_id: str) -> bool:
        return self._rooms[node_id].access is Access.OPEN
