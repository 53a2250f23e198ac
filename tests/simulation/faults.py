"""What goes wrong, and where: kinds of faults, steps of a slice's path, and the plan that a seed draws.

A plan is a list of (kind, step, how often the step is passed before).  The processes say when they pass a
step; what is due there happens there and then, before they go on.  A fault whose target does not exist at
that moment waits for the next passing.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Step(StrEnum):
    """The steps of `docs/adr/0001-path-of-a-slice.md`; a commit has a before and an after."""

    SPAWN = "spawn"  # a controller is forked, and not recorded yet
    BIRTH = "birth"  # a controller or a master starts, attaches, takes links
    MAKE = "1 make"
    RECORD = "2 record"
    LEASE = "3 lease"
    LEASED = "3 leased"
    HAND = "4 hand over"
    RUN = "5 run"
    REPORT = "6 report"
    SETTLE = "7 settle"
    SETTLED = "7 settled"
    END = "8 end"
    ENDED = "8 ended"
    APPLY = "9 apply"
    APPLIED = "9 applied"
    LEAVE = "leave"  # the processes of an ended execution go


class Kind(StrEnum):
    """What is done to the cluster."""

    KILL_WORKER = "kill worker"
    KILL_DAEMON = "kill daemon"
    KILL_CONTROLLER = "kill controller"
    KILL_MASTER = "kill master"
    KILL_SLICER = "kill slicer"
    POWER = "power cut"
    HANG_WORKER = "hang worker"
    HANG_SLICER = "hang slicer"
    HANG_CONTROLLER = "hang controller"
    HANG_DAEMON = "hang daemon"
    HANG_MASTER = "hang master"
    CUT = "cut connection"
    HALF_OPEN = "half-open"
    PARTITION = "partition"
    ONE_WAY = "one-way loss"
    DELAY = "slow network"
    CLOCK = "clock jump"
    STORE_FAILS = "store fails"
    STORE_UNKNOWN = "outcome unknown"
    STORE_AWAY = "store away"
    LATE_WRITE = "late write"
    SLOW_DISK = "slow disk"
    SLOW_WORK = "slow slices"
    BAD_WORK = "failing slices"
    SLOW_SLICER = "slow slicer"
    DRAIN_DAEMON = "drain daemon"
    END_MASTER = "end master"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    WORKERS = "workers"
    SUBMIT = "submit"
    RECOVER = "recover"
    DRAIN_NODE = "drain node"
    RETURN_NODE = "return node"


_RARE: Final = frozenset({Step.SPAWN, Step.END, Step.ENDED, Step.APPLY, Step.APPLIED, Step.LEAVE})
_PASSINGS: Final = {step: 3 if step in _RARE else 40 for step in Step} | {Step.BIRTH: 8}
_ORPHANS: Final = 0.04
"""Seeds in which a master dies as soon as it has forked a controller, which it has not recorded yet."""
_HARSH: Final = (Kind.POWER, Kind.STOP)  # they end much of what a schedule could still show: drawn less often


@dataclass(slots=True)
class Fault:
    """One fault to come."""

    kind: Kind
    step: Step
    after: int  # passings of the step before it


class Plan:
    """The faults of one seed, and what became of them."""

    def __init__(self, draw: random.Random) -> None:
        self.injected: Counter[tuple[Kind, Step]] = Counter()
        self.passed: Counter[Step] = Counter()
        self._waiting: dict[Step, list[Fault]] = {}
        for _ in range(draw.randint(1, 8)):
            fault = _draw_fault(draw)
            self._add(fault)
            if draw.random() < 0.25:  # two at once
                self._add(Fault(draw.choice(list(Kind)), fault.step, fault.after))
        if draw.random() < _ORPHANS:
            self._add(Fault(Kind.KILL_MASTER, Step.SPAWN, 1))

    def due(self, step: Step) -> list[Fault]:
        """A process passes this step: what is to happen now."""
        waiting = self._waiting.get(step)
        if not waiting:
            return []
        self.passed[step] += 1
        return [fault for fault in waiting if fault.after < self.passed[step]]

    def done(self, fault: Fault) -> None:
        """The fault has happened."""
        self._waiting[fault.step].remove(fault)
        self.injected[fault.kind, fault.step] += 1

    def end(self) -> None:
        """Nothing more goes wrong."""
        self._waiting.clear()

    def _add(self, fault: Fault) -> None:
        self._waiting.setdefault(fault.step, []).append(fault)


def _draw_fault(draw: random.Random) -> Fault:
    kind = draw.choice(list(Kind))
    if kind in _HARSH and draw.random() < 0.5:
        kind = draw.choice(list(Kind))
    step = draw.choice(list(Step))
    return Fault(kind, step, draw.randrange(_PASSINGS[step]))
