"""What `chaos` is going to do to its cluster: all of it drawn from the seed, before anything starts.

An episode kills two processes of different kinds at once, and each one's successor within a second of its
start, while the cluster is still recovering.  Every pair of kinds comes up equally often, so that forty kills
have each kind eight times: four times in a pair, four times young and in a recovery.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import Final

KILLS_OF_EPISODE: Final = 4
KILLS_OF_CYCLE: Final = 40
EACH_OF_CYCLE: Final = 4
PROGRESS_SECONDS: Final = 0.6  # before an episode: at most so long after the cluster was whole
PAUSE_SHARE: Final = 0.3
SHORT_PAUSE_SECONDS: Final = (0.2, 2.0)
LONG_PAUSE_SECONDS: Final = 12.0  # longer than the master waits for a controller that says nothing
LONG_PAUSE_SHARE: Final = 0.2


class Kind(StrEnum):
    """What can be killed."""

    WORKER = "worker"
    CONTROLLER = "controller"
    DAEMON = "worker daemon"
    MASTER = "master"
    SLICER = "slicer"


OLDEST_SECONDS: Final = {
    Kind.WORKER: 0.02,
    Kind.SLICER: 0.05,
    Kind.CONTROLLER: 0.1,
    Kind.DAEMON: 0.8,
    Kind.MASTER: 0.8,
}
"""A successor is killed at this age at the latest: before it is back at work."""


@dataclass(frozen=True, slots=True)
class Pause:
    """SIGSTOP, and SIGCONT so much later."""

    kind: Kind
    seconds: float


@dataclass(frozen=True, slots=True)
class Episode:
    """Two kills at once, then the two successors at these ages; perhaps while a third process hangs."""

    pair: tuple[Kind, Kind]
    wait_seconds: float
    ages: tuple[float, float]
    pause: Pause | None


def episodes(seed: int, kills: int) -> list[Episode]:
    """As many as make so many kills, rounded up."""
    draw = random.Random(seed)  # noqa: S311 - it decides what is killed, nothing secret
    pairs = _pairs(draw)
    return [_episode(draw, next(pairs)) for _ in range(-(-kills // KILLS_OF_EPISODE))]


def extra_episode(kind: Kind, number: int) -> Episode:
    """One more for a kind that was not killed often enough at some moment, with one of the others."""
    others = [other for other in Kind if other is not kind]
    return Episode((kind, others[number % len(others)]), wait_seconds=0.0, ages=(0.0, 0.0), pause=None)


def wanted_of_each(kills: int) -> int:
    """How many kills of each kind there must be at each moment."""
    return kills // KILLS_OF_CYCLE * EACH_OF_CYCLE


def _pairs(draw: random.Random) -> Iterator[tuple[Kind, Kind]]:
    while True:
        cycle = [pair if draw.random() < 0.5 else pair[::-1] for pair in combinations(Kind, 2)]
        draw.shuffle(cycle)
        yield from cycle


def _episode(draw: random.Random, pair: tuple[Kind, Kind]) -> Episode:
    ages = (draw.uniform(0, OLDEST_SECONDS[pair[0]]), draw.uniform(0, OLDEST_SECONDS[pair[1]]))
    pause = _pause(draw, pair) if draw.random() < PAUSE_SHARE else None
    return Episode(pair, draw.uniform(0, PROGRESS_SECONDS), ages, pause)


def _pause(draw: random.Random, pair: tuple[Kind, Kind]) -> Pause:
    kind = draw.choice([kind for kind in Kind if kind not in pair])
    if draw.random() < LONG_PAUSE_SHARE:
        return Pause(kind, LONG_PAUSE_SECONDS)
    return Pause(kind, draw.uniform(*SHORT_PAUSE_SECONDS))
