"""How many slices a worker is given at once, and how many the daemon asks for.

A worker gets what it finishes in a few milliseconds: enough to hide the way to it and back, little enough
that what waits behind a slow slice is not missed elsewhere; of slices up to `NEXT_US` it has the next one in
hand, because the way would cost each of them some part in twenty.  The daemon asks for some tens of
milliseconds of work per worker.  Both follow the measured time of a slice.  An execution whose slices may be
begun only once gets no prefetch at all.
"""

from __future__ import annotations

from typing import Final

GIVE_US: Final = 4_000
GIVE_SLICES: Final = 256
GIVE_BYTES: Final = 8 * 1024 * 1024
SHORT_US: Final = 1_000
NEXT_US: Final = 20_000
WAITING_US: Final = 40_000
WAITING_SLICES: Final = 1_000
LONG_US: Final = 50_000
WINDOW_SLICES: Final = 4_096
WINDOW_BYTES: Final = 64 * 1024 * 1024
UNMEASURED_PER_WORKER: Final = 2
_SMOOTHING: Final = 4  # a frame of so many slices weighs as much as all before it


class Pace:
    """Measures slices; `batch`, `refill_at` and `window` follow."""

    def __init__(self, *, prefetch: bool) -> None:
        self._prefetch = prefetch
        self._slice_us = 0.0  # 0: not measured
        self._slice_bytes = 0.0
        self.batch = 1
        """Slices in one hand-over to a worker."""
        self.refill_at = 0
        """A worker that has at most so many is given the next hand-over."""

    def ran(self, count: int, total_us: int) -> None:
        """`count` slices took `total_us` together."""
        if count == 0:
            return
        mean = max(1.0, total_us / count)
        weight = count / (count + _SMOOTHING) if self._slice_us else 1.0
        self._slice_us += (mean - self._slice_us) * weight
        if self._prefetch:
            self._set_batch(self._slice_us)

    def arrived(self, requests: list[bytes]) -> None:
        """These requests were granted."""
        count = len(requests)
        if count:
            mean = sum(map(len, requests)) / count
            self._slice_bytes += (mean - self._slice_bytes) * count / (count + _SMOOTHING)

    def window(self, ready: int) -> int:
        """How many unfinished slices to hold at most with so many ready workers."""
        if not self._prefetch or ready == 0:
            return ready
        waiting = self._waiting(ready)
        wanted = min(ready * (self.batch + self.refill_at) + waiting, WINDOW_SLICES)
        affordable = int(WINDOW_BYTES / self._slice_bytes) if self._slice_bytes else wanted
        return max(ready, min(wanted, affordable))

    def _set_batch(self, slice_us: float) -> None:
        self.batch = min(GIVE_SLICES, max(1, int(GIVE_US / slice_us)))
        if slice_us < SHORT_US:
            self.refill_at = self.batch
        else:
            self.refill_at = 1 if slice_us < NEXT_US else 0

    def _waiting(self, ready: int) -> int:
        if not self._slice_us:
            return ready * (UNMEASURED_PER_WORKER - 1)
        if self._slice_us >= LONG_US:
            return 1
        return max(1, int(ready * min(WAITING_US / self._slice_us, WAITING_SLICES)))
