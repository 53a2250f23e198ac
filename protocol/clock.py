"""Time as an argument: machines get `now` with each event, shells read it from a Clock."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Two readings of time, both in integer milliseconds."""

    def monotonic_ms(self) -> int:
        """For deadlines: never goes back; means nothing in another process."""
        ...

    def wall_ms(self) -> int:
        """For records: milliseconds since the epoch, UTC; may jump."""
        ...


class SystemClock:
    """The machine's clocks."""

    def monotonic_ms(self) -> int:
        """See `Clock`."""
        return time.monotonic_ns() // 1_000_000

    def wall_ms(self) -> int:
        """See `Clock`."""
        return time.time_ns() // 1_000_000
