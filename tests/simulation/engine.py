"""Virtual time: a heap of what happens when, and processes that live, hang and die in it.

Nothing here waits: the time is that of the next action.  Everything that is drawn comes from one seeded
random number generator, and actions of the same time happen in the order in which they were planned, so that
a seed replays exactly.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from heapq import heappop, heappush
from typing import Any, Final, TypeVar

T = TypeVar("T")

BOOT_WALL_MS: Final = 1_700_000_000_000


class Killed(BaseException):
    """The process whose action this is was killed in the middle of it: the rest does not happen."""


class Violation(Exception):  # noqa: N818 - it is what a schedule shows, not an error of this code
    """Something that must never be."""


class Engine:
    """The time, and what is going to happen."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = 0
        self.actions = 0
        self._heap: list[tuple[int, int, Process | None, Callable[..., None], tuple[Any, ...]]] = []
        self._planned = 0
        self._pids = 100

    def at(self, time: int, process: Process | None, action: Callable[..., None], *args: Any) -> None:
        """Plan an action; one of a process does not happen if it is dead by then."""
        self._planned += 1
        heappush(self._heap, (max(time, self.now), self._planned, process, action, args))

    def step(self) -> bool:
        """Let the next action happen; False if there is none."""
        if not self._heap:
            return False
        time, _, process, action, args = heappop(self._heap)
        self.now = time
        if process is not None and not process.alive:
            return True
        if process is not None and process.is_behind:
            process.deferred.append((action, args))
            return True
        self.actions += 1
        with suppress(Killed):
            action(*args)
        return True

    def new_pid(self) -> int:
        """No two processes share it."""
        self._pids += 1
        return self._pids

    def draw(self, low: int, high: int) -> int:
        """An integer between the two, both included."""
        return low + int(self.random.random() * (high - low + 1))

    def pick(self, items: Sequence[T]) -> T:
        """One of them."""
        return items[int(self.random.random() * len(items))]

    def chance(self, probability: float) -> bool:
        """Whether something that happens with this probability does."""
        return self.random.random() < probability


class Process:
    """One process from its birth to its death; the next one of its kind is another object."""

    kind = "process"

    def __init__(self, engine: Engine, host: Host) -> None:
        self.engine = engine
        self.host = host
        self.pid = engine.new_pid()
        self.born = engine.now
        self.alive = True
        self.hanging = False
        self.deferred: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._deaths: list[Callable[[str], None]] = []

    @property
    def is_behind(self) -> bool:
        """It hangs, or has not yet done all that has gathered meanwhile: what comes now comes after that."""
        return self.hanging or bool(self.deferred)

    def post(self, delay: int, action: Callable[..., None], *args: Any) -> None:
        """Do something later, if this process lives then and does not hang."""
        self.engine.at(self.engine.now + delay, self, action, *args)

    def on_death(self, told: Callable[[str], None]) -> None:
        """Call this at once when the process dies, with how; the callee is the kernel."""
        self._deaths.append(told)

    def die(self, how: str) -> None:
        """End now; whatever it was about to do does not happen."""
        if not self.alive:
            return
        self.alive = False
        self.hanging = False
        self.deferred.clear()
        for told in self._deaths:
            told(how)

    def hang(self) -> None:
        """SIGSTOP."""
        self.hanging = self.alive

    def resume(self) -> None:
        """SIGCONT: what has gathered is done, in order."""
        if self.hanging:
            self.hanging = False
            self.engine.at(self.engine.now, None, self._catch_up)

    def _catch_up(self) -> None:
        """The next thing that has gathered; no other one overtakes it."""
        if self.hanging or not self.deferred:
            return
        action, args = self.deferred.popleft()
        self.engine.at(self.engine.now, None, self._catch_up)
        action(*args)


class Host:
    """A machine: a name, and a wall clock that may jump."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.name = name
        self._engine = engine
        self._offset = BOOT_WALL_MS

    def wall_ms(self) -> int:
        """What its clock shows."""
        return self._engine.now + self._offset

    def jump(self, milliseconds: int) -> None:
        """Somebody sets the clock."""
        self._offset += milliseconds
