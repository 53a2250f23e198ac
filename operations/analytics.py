"""What each operation costs: slices, time, records in and out, and the memory of the worker.

Only operations that returned are counted.  Memory is that of the whole process, looked up at most ten times
a second, so that a measured slice costs well under a microsecond more for each operation.
"""

from __future__ import annotations

import os
from time import perf_counter_ns

from sliceworks.protocol.messages import OperationTotals

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_MEMORY_INTERVAL_NS = 100_000_000


class Meter:
    """Adds up what the operations of one worker do; close it at the end."""

    def __init__(self, operations: int) -> None:
        self._sums = [_Sum() for _ in range(operations)]
        self._statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        self._memory_due_ns = 0
        self._resident_bytes = self._highest_bytes = 0

    def add(self, place: int, *, records_in: int, records_out: int, began_ns: int) -> int:
        """Count one run of an operation that began at `began_ns` and ends now; returns now."""
        now_ns = perf_counter_ns()
        total = self._sums[place]
        total.slices += 1
        total.time_ns += now_ns - began_ns
        total.records_in += records_in
        total.records_out += records_out
        return now_ns

    def slice_done(self, now_ns: int) -> None:
        """Look at the memory, if that is due."""
        if now_ns < self._memory_due_ns:
            return
        self._memory_due_ns = now_ns + _MEMORY_INTERVAL_NS
        self._resident_bytes = int(os.pread(self._statm, 200, 0).split()[1]) * _PAGE_BYTES
        self._highest_bytes = max(self._highest_bytes, self._resident_bytes)

    def take_totals(self) -> list[OperationTotals]:
        """What was added since the last call; operations that did nothing are left out."""
        memory, self._highest_bytes = self._highest_bytes, self._resident_bytes
        return [total.take(place, memory) for place, total in enumerate(self._sums) if total.slices]

    def close(self) -> None:
        """Give the file descriptor back."""
        os.close(self._statm)


class _Sum:
    __slots__ = ("records_in", "records_out", "slices", "time_ns")

    def __init__(self) -> None:
        self.slices = self.time_ns = self.records_in = self.records_out = 0

    def take(self, place: int, memory_bytes: int) -> OperationTotals:
        """The sums as a message; what is less than a microsecond stays for the next."""
        time_us, rest_ns = divmod(self.time_ns, 1000)
        totals = OperationTotals(
            op=place,
            slices=self.slices,
            time_us=time_us,
            records_in=self.records_in,
            records_out=self.records_out,
            memory_bytes=memory_bytes,
        )
        self.slices = self.records_in = self.records_out = 0
        self.time_ns = rest_ns
        return totals
