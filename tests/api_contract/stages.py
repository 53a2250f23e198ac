"""Brings executions into every status by verbs, signals and nothing else, as `table.md` says under *How*.

What comes before running is in `early.py`.
"""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from tests.acceptance.harness import Cluster
from tests.api_contract.bundle import make_bundle
from tests.api_contract.holds import frozen_at_birth, spawner_of, thaw
from tests.api_contract.work import Job, bad, busy, done, from_asset

T = TypeVar("T")

AT_ONCE = 4
SLOTS = 400
UNKNOWN = str(uuid.UUID(int=0))


@dataclass
class Case:
    """One execution in a status; what it is held by is let go by `release`."""

    cluster: Cluster
    job: str
    ex: str
    column: str
    older: str = ""
    body: Job = field(default_factory=dict)
    release: Callable[[], object] = lambda: None
    is_held: bool = False
    pids: list[int] = field(default_factory=list)

    @property
    def status(self) -> str:
        """What the column's executions show as `_status`."""
        return {"crashed": "recovering", "deleted": "completed"}.get(self.column, self.column)


def all_of(work: Callable[[], T], number: int) -> list[T]:
    """Do it so many times, some at once."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [each.result() for each in [pool.submit(work) for _ in range(number)]]


def each_of(work: Callable[[T], object], items: list[T]) -> None:
    """Do it with every item, some at once."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for each in [pool.submit(work, item) for item in items]:
            each.result()


def submitted(cluster: Cluster, job: Job, column: str) -> Case:
    """A job that is started."""
    ids = cluster.post("/jobs", job)
    return Case(cluster, ids["job_id"], ids["ex_id"], column, body=job)


class Running:
    """The cluster where everything runs."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self.folder = folder

    def cases(self, column: str, number: int) -> list[Case]:
        """Executions in that status: the first with two workers and an older execution, if it lives."""
        return {
            "recovering": self.recovering,
            "crashed": self.crashed,
            "running": self.running,
            "failing": self.failing,
            "paused": self.paused,
            "stopping": self.stopping,
            "completed": self.completed,
            "stopped": self.stopped,
            "failed": self.failed,
            "terminated": self.terminated,
        }[column](number)

    def running(self, number: int, column: str = "running", ms: int = 300) -> list[Case]:
        first = self._second_run(busy(ms=ms, workers=2), column)
        others = all_of(partial(submitted, self.cluster, busy(ms=ms), column), number - 1)
        each_of(partial(self._wait, status="running"), [first, *others])
        return [first, *others]

    def failing(self, number: int) -> list[Case]:
        first = self._second_run(bad(self.folder, good=5000, workers=2), "failing")
        others = all_of(partial(submitted, self.cluster, bad(self.folder, good=5000), "failing"), number - 1)
        each_of(partial(self._wait, status="failing"), [first, *others])
        return [first, *others]

    def paused(self, number: int) -> list[Case]:
        cases = self.running(number, "paused")
        each_of(lambda case: self.cluster.post(f"/ex/{case.ex}/_pause"), cases)
        return cases

    def stopping(self, number: int) -> list[Case]:
        first = self.running(1, "stopping", 20_000)
        cases = first + self.running(number - 1, "stopping", 4_000)[: number - 1] if number > 1 else first
        each_of(lambda case: self.cluster.post(f"/ex/{case.ex}/_stop", blocking="false"), cases)
        return cases

    def recovering(self, number: int) -> list[Case]:
        bodies = [busy(workers=2, slices=400), *(busy(slices=400) for _ in range(number - 1))]
        cases = [submitted(self.cluster, body, "recovering") for body in bodies]
        each_of(self._recover, cases)
        each_of(partial(self._wait, status="recovering"), cases)
        return cases

    def crashed(self, number: int) -> list[Case]:
        cases = self.running(number, "crashed")
        with frozen_at_birth(spawner_of(self.cluster)) as frozen:
            for case in cases:
                os.kill(self._controller(case.ex), signal.SIGKILL)
            for case in cases:
                self.cluster.eventually(
                    partial(self._is_among, frozen, case.ex), "the next is born and on record"
                )
        for case in cases:
            self.cluster.wait_status(case.ex, "recovering")
            case.release, case.is_held = partial(thaw, {self._controller(case.ex)}), True
        return cases

    def completed(self, number: int) -> list[Case]:
        return self._ended(done(), number, "completed")

    def failed(self, number: int) -> list[Case]:
        return self._ended(bad(self.folder, good=1), number, "failed")

    def terminated(self, number: int) -> list[Case]:
        self.cluster.request("POST", "/assets", make_bundle())
        job = from_asset(recoverable=False)
        cases = all_of(partial(submitted, self.cluster, job, "terminated"), number)
        for case in cases:
            self._wait(case, "running")
            os.kill(self._controller(case.ex), signal.SIGKILL)
        for case in cases:
            assert self.cluster.wait_until_over(case.ex) == "terminated"
            self.cluster.wait_until_gone(case.ex)
        return cases

    def stopped(self, number: int) -> list[Case]:
        cases = all_of(partial(submitted, self.cluster, busy(), "stopped"), number)
        each_of(partial(self._wait, status="running"), cases)
        each_of(lambda case: self.cluster.post(f"/ex/{case.ex}/_stop", timeout=0), cases)
        return cases

    def _ended(self, job: Job, number: int, status: str) -> list[Case]:
        cases = all_of(partial(submitted, self.cluster, job, status), number)
        for case in cases:
            assert self.cluster.wait_until_over(case.ex) == status
            self.cluster.wait_until_gone(case.ex)
        return cases

    def without(self, column: str, number: int) -> list[Case]:
        """Jobs that have no execution in a status."""
        if column == "unknown":
            return [Case(self.cluster, UNKNOWN, UNKNOWN, column, body=done()) for _ in range(number)]
        if column == "never started":
            return [self._stored(done(), column) for _ in range(number)]
        cases = self._ended(done(), number, "completed")
        for case in cases:
            case.column = "deleted"
            self.cluster.request("DELETE", f"/jobs/{case.job}")
        return cases

    def _stored(self, job: Job, column: str) -> Case:
        stored = self.cluster.post("/jobs", job, start="false")
        return Case(self.cluster, stored["job_id"], UNKNOWN, column, body=job)

    def _second_run(self, job: Job, column: str) -> Case:
        case = submitted(self.cluster, job, column)
        self.cluster.post(f"/ex/{case.ex}/_stop", force="true")
        started = self.cluster.post(f"/jobs/{case.job}/_start")
        return Case(self.cluster, case.job, started["ex_id"], column, older=case.ex, body=job)

    def _recover(self, case: Case) -> None:
        self.cluster.eventually(lambda: self.cluster.counts(case.ex)["start"] > 0, "slices are begun")
        self.cluster.post(f"/ex/{case.ex}/_stop", timeout=0)
        case.older, case.ex = (
            case.ex,
            self.cluster.post(f"/ex/{case.ex}/_recover", cleanup_type="all")["ex_id"],
        )

    def _controller(self, ex: str) -> int:
        return self.cluster.pids("execution_controller", ex)[0]

    def _is_among(self, pids: set[int], ex: str) -> bool:
        return self._controller(ex) in pids

    def _wait(self, case: Case, status: str) -> None:
        """In that status, and at work."""

        def is_at_work() -> bool:
            counts = self.cluster.counts(case.ex)
            return self.cluster.status(case.ex) == status and counts["start"] > 0

        self.cluster.eventually(is_at_work, f"{case.ex} is {status} and at work")
        self.cluster.wait_workers(case.ex, case.body["workers"])
        case.pids = self.cluster.pids("worker", case.ex) + self.cluster.pids("execution_controller", case.ex)
