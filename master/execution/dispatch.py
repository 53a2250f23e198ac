"""Which slice goes to which daemon: the queue in order, the daemons in turn, each as its window has room.

A daemon says how much it wants to hold (its window); what it holds is counted here.  When the queue is short
the rest is shared evenly, so that no daemon hoards the tail; what one daemon has waiting while another idles
is recalled.
"""

from __future__ import annotations

from typing import Final

from sliceworks.master.execution.events import Effect, Send
from sliceworks.master.execution.journal import Journal
from sliceworks.master.execution.model import Link, Now, Slice
from sliceworks.master.execution.queue import SliceQueue
from sliceworks.protocol.messages import RecallSlices
from sliceworks.protocol.timings import Timings

MAX_CHUNK: Final = 512
MAX_HELD: Final = 100_000
"""Leases at most, however many daemons there are and however much each of them wants: some 60 MB."""


class Dispatcher:
    """Knows which links have room."""

    def __init__(self, queue: SliceQueue, journal: Journal, timings: Timings) -> None:
        self._queue = queue
        self._journal = journal
        self._timings = timings
        self._ready: dict[Link, None] = {}

    def note(self, link: Link) -> None:
        """The room of a link may have changed."""
        if link.room > 0:
            self._ready.setdefault(link)
        else:
            self._ready.pop(link, None)

    def forget(self, link: Link) -> None:
        """The link is gone."""
        self._ready.pop(link, None)

    def dispatch(self, leases: dict[int, Slice], now: Now) -> None:
        """Lease as much of the queue as fits."""
        while self._queue and self._ready:
            share = -(-len(self._queue) // len(self._ready))
            for _ in range(len(self._ready)):
                if (room := MAX_HELD - len(leases)) <= 0:
                    return
                self._serve_next(min(share, MAX_CHUNK, room), leases, now)

    def _serve_next(self, share: int, leases: dict[int, Slice], now: Now) -> None:
        link = next(iter(self._ready))
        del self._ready[link]
        items = self._queue.take(min(link.room, share))
        if items:
            self._journal.lease(link, items, now)
            wall_ms = now.wall_ms
            self._timings.waited([wall_ms - item.created_ms for item in items if item.epoch == 1])
            leases.update({item.seq: item for item in items})
        self.note(link)

    def recalls(self, links: list[Link]) -> list[Effect]:
        """Take waiting slices from the fullest daemon for one that has idle workers and gets nothing."""
        idle = sum(
            max(0, link.state.available - link.outstanding) for link in links if link.connection is not None
        )
        if not idle or self._queue:
            return []
        fullest = max(links, key=_waiting)
        if fullest.recalling or fullest.connection is None or _waiting(fullest) <= 0:
            return []
        fullest.recalling = True
        return [Send(fullest.connection, RecallSlices(min(idle, _waiting(fullest))))]


def _waiting(link: Link) -> int:
    return link.outstanding - link.state.available if link.connection is not None else 0
