"""How long slices took, as histograms: filled from whole columns, so that a slice costs next to nothing.

A column is sorted once, and each bound then finds its place in it by bisection: some twenty calls for a
batch, however long it is.  Counts only rise for as long as the process lives that counts.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from sliceworks.protocol.messages import Histogram, SliceTimings
from sliceworks.protocol.states import ResultKind

RUN_BOUNDS_US: Final = (
    1_000, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000, 5_000_000,
    10_000_000, 30_000_000, 60_000_000, 300_000_000, 900_000_000, 3_600_000_000,
)  # fmt: skip
WAIT_BOUNDS_MS: Final = (
    10, 50, 100, 500, 1_000, 5_000, 10_000, 30_000, 60_000, 300_000, 900_000, 3_600_000,
)  # fmt: skip
_RETURNED: Final = int(ResultKind.RETURNED)


class Tally:
    """One histogram that grows."""

    def __init__(self, bounds: Sequence[int]) -> None:
        self._bounds = bounds
        self._counts = [0] * len(bounds)
        self._number = 0
        self._total = 0

    def add(self, values: list[int]) -> None:
        """Count all values of a column; what is negative (a clock was set back) counts as zero."""
        if not values:
            return
        ordered = sorted(values)
        if ordered[0] < 0:
            ordered = sorted(max(0, value) for value in values)
        for place, bound in enumerate(self._bounds):
            self._counts[place] += bisect_right(ordered, bound)
        self._number += len(ordered)
        self._total += sum(ordered)

    def told(self) -> Histogram:
        """As it is now."""
        return Histogram(self._counts.copy(), self._number, self._total)


class Timings:
    """Of one execution: how long attempts took, and how long slices waited for their first one."""

    def __init__(self) -> None:
        self._run_us = Tally(RUN_BOUNDS_US)
        self._wait_ms = Tally(WAIT_BOUNDS_MS)

    def ran(self, kinds: bytes | bytearray, run_us: list[int]) -> None:
        """Attempts that ended; those that were handed back unfinished do not count."""
        if _RETURNED in kinds:
            run_us = [spent for kind, spent in zip(kinds, run_us, strict=True) if kind != _RETURNED]
        self._run_us.add(run_us)

    def waited(self, waits_ms: list[int]) -> None:
        """Slices that were given out for the first time."""
        self._wait_ms.add(waits_ms)

    def told(self) -> SliceTimings:
        """As they are now."""
        return SliceTimings(self._run_us.told(), self._wait_ms.told())
