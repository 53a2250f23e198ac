"""How much time the slice in hand has left: `self.context.slice_time`, by the job's `slice_soft_timeout`."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable
from time import monotonic

from sliceworks.operations.errors import SoftTimeoutError
from sliceworks.protocol.durations import duration_text


class SliceTime:
    """Tells operations when their slice takes too long; it is up to them what they do then."""

    def __init__(self) -> None:
        self._due = math.inf
        self._limit_ms = 0

    @property
    def seconds_left(self) -> float:
        """Until the soft limit; negative when it has passed, infinite if the job has none."""
        return self._due - monotonic()

    def check(self) -> None:
        """Raise SoftTimeoutError if the limit has passed."""
        if self.seconds_left <= 0:
            raise self._error()

    async def spend(self, limit_ms: int, work: Awaitable[None]) -> None:
        """Do a slice's work; if it awaits something when the limit passes it is cancelled there.

        SoftTimeoutError then, unless it copes with that by itself.
        """
        self._limit_ms = limit_ms
        self._due = monotonic() + limit_ms / 1_000
        try:
            async with asyncio.timeout(limit_ms / 1_000) as limit:
                await work
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise self._error() from error
        finally:
            self._due = math.inf

    def _error(self) -> SoftTimeoutError:
        limit = duration_text(self._limit_ms)
        return SoftTimeoutError(f"the slice took longer than its slice_soft_timeout of {limit}")
