"""One episode: hang a process, kill two at once, kill their successors, and see that all of it comes back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from sliceworks.cli.chaos_cluster import Look, Scene
from sliceworks.cli.chaos_ledger import Ledger
from sliceworks.cli.chaos_plan import Episode, Kind, Pause
from sliceworks.cli.chaos_victims import age_seconds
from sliceworks.protocol.errors import SliceworksError
from sliceworks.protocol.process import Identity, is_alive

LOOK_SECONDS: Final = 0.05
FIND_SECONDS: Final = 0.005
PATIENCE_SECONDS: Final = 120
DEATHS_OF_A_SLICER: Final = 3  # a controller starts its slicer again so often


class NoRecoveryError(SliceworksError):
    """The cluster did not come back by itself."""


@dataclass(slots=True)
class Hurt:
    """A kind that was killed; `progress` is how much was done when its like was seen again, -1 before."""

    since: float
    progress: int = -1


class Strikes:
    """Carries episodes out on a scene; `check` is called often, and may raise."""

    def __init__(self, scene: Scene, ledger: Ledger, *, check: Callable[[], None]) -> None:
        self._scene = scene
        self._ledger = ledger
        self._check = check
        self._hurt: dict[Kind, Hurt] = {}
        self._hung = False
        self._last: Look | None = None
        self._slicer_deaths: Counter[int] = Counter()  # by the pid of its controller

    async def strike(self, episode: Episode) -> None:
        """From a whole cluster to a whole cluster; NoRecoveryError if it does not become whole."""
        await asyncio.sleep(episode.wait_seconds)
        self._hung = episode.pause is not None
        try:
            async with asyncio.TaskGroup() as group:
                if episode.pause:
                    group.create_task(self._hang(episode.pause), name="hang")
                before = self._kill_pair(episode.pair)
                successors = [
                    group.create_task(self._kill_successor(kind, before.get(kind), age), name=f"kill {kind}")
                    for kind, age in zip(episode.pair, episode.ages, strict=True)
                ]
                while not all(task.done() for task in successors):
                    await self._see()
                    await asyncio.sleep(LOOK_SECONDS)
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        await self.until_whole()

    def is_fit_for(self, episode: Episode, look: Look) -> bool:
        """Whether the execution will outlive it: it may lose three slicers under one controller."""
        if Kind.SLICER not in episode.pair:
            return True
        deaths = self._slicer_deaths[look.controllers[-1]] if look.controllers else 0
        return deaths + 2 <= DEATHS_OF_A_SLICER

    async def until_whole(self) -> Look:
        """Wait until every kind is back at work, or the execution is over."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            look = await self._see()
            if look and (look.is_over or self._is_whole(look)):
                self._hurt.clear()
                return look
            await asyncio.sleep(LOOK_SECONDS)
        hurt = ", ".join(self._hurt) or "nothing"
        message = f"{PATIENCE_SECONDS} s after the last kill {hurt} had not recovered: {self._last}"
        raise NoRecoveryError(message)

    def _is_whole(self, look: Look) -> bool:
        return not self._hurt and all(self._scene.is_back(kind, look) for kind in Kind)

    def _kill_pair(self, pair: tuple[Kind, Kind]) -> dict[Kind, Identity]:
        """Who was killed; both are chosen before the first dies."""
        found = {kind: processes[-1] for kind in pair if (processes := self._scene.victims.find(kind))}
        recovering = bool(self._hurt)
        for kind, process in found.items():
            self._kill(kind, process, recovering=recovering, paired=len(found) > 1)
        return found

    async def _kill_successor(self, kind: Kind, before: Identity | None, age: float) -> None:
        """Wait for the next process of this kind to be so old; when all slices are made none may come."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        after = before.start_time if before else 0
        while not self._is_past(kind):
            youngest = next(iter(self._scene.victims.find(kind)), None)
            if youngest and youngest != before and youngest.start_time >= after:
                await asyncio.sleep(max(0.0, age - age_seconds(youngest)))
                self._kill(kind, youngest, recovering=bool(self._hurt), paired=False)
                return
            if time.monotonic() > deadline:
                message = f"no {kind} was started within {PATIENCE_SECONDS} s after one was killed"
                raise NoRecoveryError(message)
            await asyncio.sleep(FIND_SECONDS)

    def _is_past(self, kind: Kind) -> bool:
        """Whether the execution has no more need of such a process."""
        look = self._last
        if look is None:
            return False
        return look.is_over or (kind is Kind.SLICER and self._scene.is_sliced(look))

    def _kill(self, kind: Kind, process: Identity, *, recovering: bool, paired: bool) -> None:
        age = age_seconds(process)
        if not is_alive(process):
            return
        if kind is Kind.SLICER:
            self._slicer_deaths[self._controller_pid()] += 1
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
            self._ledger.killed(kind, age_seconds=age, recovering=recovering, paired=paired)
            self._hurt[kind] = Hurt(time.monotonic())

    def _controller_pid(self) -> int:
        controllers = self._scene.victims.find(Kind.CONTROLLER)
        return controllers[0].pid if controllers else 0

    async def _hang(self, pause: Pause) -> None:
        processes = self._scene.victims.find(pause.kind)
        if not processes:
            return
        self._ledger.pauses[pause.kind] += 1
        with _stopped(processes[-1]):
            await asyncio.sleep(pause.seconds)

    async def _see(self) -> Look | None:
        self._check()
        look = await self._scene.look()
        if look is None:
            return None
        self._last = look
        for kind, hurt in list(self._hurt.items()):
            if self._has_recovered(kind, hurt, look):
                self._ledger.recovered(kind, time.monotonic() - hurt.since, hung=self._hung)
                del self._hurt[kind]
        return look

    def _has_recovered(self, kind: Kind, hurt: Hurt, look: Look) -> bool:
        """Its like is back, and since then work went on: for a slicer slices were made, else ended."""
        if look.is_over:
            return True
        if not self._scene.is_back(kind, look):
            return False
        progress = look.counts.made if kind is Kind.SLICER else look.counts.done
        if hurt.progress < 0:
            hurt.progress = progress
        return progress > hurt.progress or (kind is Kind.SLICER and self._scene.is_sliced(look))


@contextlib.contextmanager
def _stopped(process: Identity) -> Iterator[None]:
    """SIGSTOP, at the end SIGCONT; it may have been killed in between."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        if is_alive(process):
            os.kill(process.pid, signal.SIGCONT)
