"""One alarm that can be set again: the only timer of an actor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sliceworks.protocol.clock import Clock


class Alarm:
    """Rings once at the time that was set last.  `run` must be running for that."""

    def __init__(self, clock: Clock, ring: Callable[[], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._at_ms: int | None = None
        self._changed = asyncio.Event()

    def set(self, at_ms: int) -> None:
        """Ring at this monotonic time, and not at the one before."""
        self._at_ms = at_ms
        self._changed.set()

    async def run(self) -> None:
        """Ring when it is time, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(self._seconds_left()):
                    await self._changed.wait()
                self._changed.clear()
            except TimeoutError:
                self._at_ms = None
                self._ring()

    def _seconds_left(self) -> float | None:
        if self._at_ms is None:
            return None
        return max(0, self._at_ms - self._clock.monotonic_ms()) / 1_000
