"""How long the slices of executions took that have ended: kept for as long as these are shown."""

from __future__ import annotations

from typing import Final

from sliceworks.protocol.messages import SliceTimings

RECENT: Final = 100
"""How many of the executions that have ended are shown, those that ended last."""


class RecentTimings:
    """The last words of controllers, of the newest RECENT executions that ended."""

    def __init__(self) -> None:
        self._kept: dict[str, SliceTimings] = {}

    def note(self, ex_id: str, timings: SliceTimings) -> None:
        """An execution ended like this."""
        self._kept.pop(ex_id, None)
        self._kept[ex_id] = timings
        if len(self._kept) > RECENT:
            del self._kept[next(iter(self._kept))]

    def of(self, ex_id: str) -> SliceTimings | None:
        """What is known of one that ended; None after a restart of the master."""
        return self._kept.get(ex_id)
