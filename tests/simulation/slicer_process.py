"""The slicer child, played: it makes slices against credit, in order, until it has no more.

The request of the n-th slice of slicer s is `s:n`, so that everybody can see what was made twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sliceworks.protocol.messages import (
    ControllerToSlicer,
    SlicerFailed,
    SlicerReady,
    SlicerToController,
    SlicesMade,
    SlicingFinished,
    StopSlicing,
    WantSlices,
)
from tests.simulation.engine import Process
from tests.simulation.faults import Step

if TYPE_CHECKING:
    from tests.simulation.controller_process import Controller


def request_of(slicer_id: int, order: int) -> bytes:
    """What the slicer makes as its slice of that order."""
    return b"%d:%d" % (slicer_id, order)


class Slicer(Process):
    """Lives as long as its controller does, at most."""

    kind = "slicer"

    def __init__(
        self, owner: Controller, recovery: list[dict[str, Any]], tell: Callable[[SlicerToController], None]
    ) -> None:
        super().__init__(owner.engine, owner.host)
        self.world = owner.world
        self.ex_id = owner.ex_id
        self._owner = owner
        self._job = owner.job
        self._tell = tell
        self._credit = dict.fromkeys(range(self._job.slicers), 0)
        self._made = dict.fromkeys(range(self._job.slicers), 0)
        self._busy: set[int] = set()
        self._ended = set[int]()
        for entry in recovery:
            slicer_id = entry["slicer_id"]
            if entry["last_slice"]:
                self._made[slicer_id] = int(entry["last_slice"].split(b":")[1])
            if entry["finished"]:
                self._ended.add(slicer_id)
        owner.on_death(self.die)
        self.post(self.engine.draw(5, 60), self._ready)

    def hear(self, message: ControllerToSlicer) -> None:
        """A frame of the controller."""
        match message:
            case WantSlices(slicer_id, count):
                self._credit[slicer_id] += count
                self._go_on(slicer_id)
            case StopSlicing():
                self.post(1, self.die, "exit code 0")

    def _ready(self) -> None:
        job = self._job
        self._say(SlicerReady(job.slicers, job.recoverable, False, 10_000))
        for slicer_id in self._credit:
            self._go_on(slicer_id)

    def _go_on(self, slicer_id: int) -> None:
        if slicer_id in self._busy or slicer_id in self._ended or self._credit[slicer_id] <= 0:
            return
        self._busy.add(slicer_id)
        delay = self.engine.draw(1, 2 * self._job.slicing_ms)
        if self._job.persistent:
            delay = self.engine.draw(20, 1_000)
        if self.world.mischief.take("slow slicer"):
            delay = self.engine.draw(1_000, 8_000)
        self.post(delay, self._make, slicer_id)

    def _make(self, slicer_id: int) -> None:
        self._busy.discard(slicer_id)
        made, job = self._made[slicer_id], self._job
        if job.broken_at and made >= job.broken_at:
            self._say(SlicerFailed("ValueError: there is no such thing"))
            return
        count = min(self._credit[slicer_id], job.slices - made, self.engine.draw(1, 12))
        if self._job.persistent:
            count = min(count, 4)
        if count == 0:
            self._ended.add(slicer_id)
            self._say(SlicingFinished(slicer_id))
            return
        self.world.pass_step(Step.MAKE, self)
        if self.engine.chance(job.slicer_crash_rate):
            self.post(self.engine.draw(0, 3), self.die, "killed by signal 11")
        self._made[slicer_id] += count
        self._credit[slicer_id] -= count
        self._say(SlicesMade(slicer_id, [request_of(slicer_id, made + n + 1) for n in range(count)]))
        if job.slices > self._made[slicer_id]:
            self._go_on(slicer_id)
        else:
            self.post(1, self._finish, slicer_id)

    def _finish(self, slicer_id: int) -> None:
        self._ended.add(slicer_id)
        self._say(SlicingFinished(slicer_id))

    def _say(self, message: SlicerToController) -> None:
        self._owner.post(1, self._owner.hear_slicer, self, message)
