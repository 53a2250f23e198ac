"""What a seed draws before anything happens: the cluster, its jobs, and how operations and slicers behave."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

import orjson

from sliceworks.master.cluster.model import Limits
from sliceworks.master.execution.model import Rules

MASTER_HOST: Final = "m"
MASTER_PORT: Final = 5_678
NODE_HEARTBEAT_MS: Final = 2_000
CONTROLLER_HEARTBEAT_MS: Final = 1_000
DISCONNECT_MS: Final = 20_000
LEASE_TIMEOUT_MS: Final = 6_000
LONGEST_HANG_MS: Final = 15_000
CALM_AT_MS: Final = 60_000
"""From here on nothing more goes wrong, and all that does is healed."""
BOUND_MS: Final = 300_000
"""So long after that everything has ended."""

LIMITS: Final = Limits(
    hello_ms=8_000,
    silence_ms=4_000,
    end_ms=4_000,
    overdue_ms=9_000,
    disconnect_ms=DISCONNECT_MS,
    margin_ms=8_000,
    shutdown_ms=3_000,
    totals_ms=10_000,
    hostname=MASTER_HOST,
)


@dataclass(frozen=True, slots=True)
class Job:
    """One job and all that it is going to do."""

    job_id: str
    slicers: int
    slices: int  # of each slicer; of a persistent one: more than it will ever make
    persistent: bool
    recoverable: bool
    slicing_ms: int  # about so long for a call of slice()
    workers: int
    run_ms: int  # about so long for a slice
    error_rate: float  # tries that raise
    fatal_rate: float
    crash_rate: float  # tries that kill their worker
    poison: bool  # one slice kills every worker that takes it
    broken_at: int  # a slicer raises at this order; 0: never
    start_failure_rate: float  # workers that do not start; 1: none does
    slicer_crash_rate: float  # calls of slice() that kill their process
    crash_loop: bool  # no controller of it lives for long
    max_retries: int
    at_most_once: bool
    slice_timeout_ms: int  # 0: a slice may take for ever
    soft_timeout_ms: int  # 0: nor is it told that it takes long; most slices that are told end
    execution_timeout_ms: int  # 0: and so may all of it

    @property
    def has_time_limit(self) -> bool:
        """A slice can end by a time limit."""
        return bool(self.slice_timeout_ms or self.soft_timeout_ms)

    @property
    def document(self) -> bytes:
        """What of it a worker daemon reads."""
        return orjson.dumps({"job_id": self.job_id, "max_attempts": 1 if self.at_most_once else None})

    @property
    def rules(self) -> Rules:
        """What the execution machine is told of it."""
        return Rules(
            persistent=self.persistent,
            max_retries=self.max_retries,
            max_worker_losses=3,
            at_most_once=self.at_most_once,
            probation_window_ms=5_000,
            lease_timeout_ms=LEASE_TIMEOUT_MS,
            slicer_timeout_ms=0,
            worker_disconnect_timeout_ms=0,
            execution_timeout_ms=self.execution_timeout_ms,
        )


@dataclass(frozen=True, slots=True)
class Scenario:
    """A cluster and what is asked of it."""

    slots: tuple[int, ...]  # of each node
    jobs: tuple[Job, ...]
    submit_at: tuple[int, ...]  # ms, of each job
    recoveries: int  # when all has ended
    sqlite: bool


def draw_scenario(draw: random.Random, *, sqlite: bool) -> Scenario:
    """The scenario of a seed."""
    nodes = draw.choice((1, 2, 2, 2, 3))
    jobs = tuple(_draw_job(draw, f"job-{n}") for n in range(draw.choice((1, 1, 2, 2, 3))))
    return Scenario(
        slots=tuple(draw.randint(1, 3) for _ in range(nodes)),
        jobs=jobs,
        submit_at=tuple(draw.randint(0, 3_000) for _ in jobs),
        recoveries=draw.choice((0, 0, 0, 0, 1, 2)),
        sqlite=sqlite,
    )


def _draw_job(draw: random.Random, job_id: str) -> Job:
    slicers = draw.choice((1, 1, 1, 2, 3))
    persistent = draw.random() < 0.2
    return Job(
        job_id=job_id,
        slicers=slicers,
        slices=100_000 if persistent else draw.randint(3, 40) // slicers + 1,
        persistent=persistent,
        recoverable=draw.random() < 0.95,
        slicing_ms=draw.choice((5, 5, 50, 400)),
        workers=draw.randint(1, 4),
        run_ms=draw.choice((1, 5, 20, 100, 400)) if not persistent else draw.choice((100, 400)),
        error_rate=draw.choice((0, 0, 0, 0.05, 0.2)),
        fatal_rate=draw.choice((0, 0, 0, 0.01)),
        crash_rate=draw.choice((0, 0, 0, 0.02)),
        poison=draw.random() < 0.05,
        broken_at=draw.randint(2, 20) if draw.random() < 0.04 else 0,
        start_failure_rate=1 if draw.random() < 0.02 else draw.choice((0, 0, 0, 0.1)),
        slicer_crash_rate=draw.choice((0, 0, 0, 0, 0.03, 0.2)),
        crash_loop=draw.random() < 0.01,
        max_retries=draw.randint(0, 3),
        at_most_once=draw.random() < 0.15,
        slice_timeout_ms=draw.choice((0, 0, 0, 1_000, 4_000)),
        soft_timeout_ms=draw.choice((0, 0, 0, 300, 1_500)),
        execution_timeout_ms=draw.choice((2_000, 10_000)) if draw.random() < 0.08 else 0,
    )
