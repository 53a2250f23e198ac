"""One alarm, set again and again."""

from __future__ import annotations

import asyncio

from sliceworks.worker.alarm import Alarm


class StillClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000

    def monotonic_ms(self) -> int:
        return self.now

    def wall_ms(self) -> int:
        return self.now


async def test_it_rings_once_for_the_time_set_last() -> None:
    rings: asyncio.Queue[None] = asyncio.Queue()
    clock = StillClock()
    alarm = Alarm(clock, lambda: rings.put_nowait(None))
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        task = group.create_task(alarm.run(), name="alarm")
        alarm.set(clock.now + 3_600_000)
        await asyncio.sleep(0)
        alarm.set(clock.now)
        await rings.get()
        alarm.set(clock.now - 5)
        await rings.get()
        assert rings.empty()
        task.cancel()
