"""Brings executions into every status by verbs, signals and nothing else, as `table.md` says under *How*.

Two clusters: one where everything runs, and one that gets its worker daemon late, for what comes before that.
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
from tests.api_contract.holds import freeze, frozen_at_birth, spawner_of, thaw
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


class Early:
    """The cluster that has no worker daemon at first; its statuses come in order."""

    ORDER = ("pending", "scheduling", "initializing", "rejected")

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._cases: dict[str, list[Case]] = {}
        self._is_initializing = False

    def prepare(self, numbers: dict[str, int]) -> None:
        """Submit what all statuses need."""
        asset = self.cluster.request("POST", "/assets", make_bundle()).body["asset_id"]
        job = from_asset(recoverable=True)
        number = numbers.pop("rejected")
        self._cases["rejected"] = all_of(partial(submitted, self.cluster, job, "rejected"), number)
        self.cluster.request("DELETE", f"/assets/{asset}")
        self._cases["rejected"][0].release = partial(self.cluster.request, "POST", "/assets", make_bundle())
        for column, number in numbers.items():
            cases = all_of(partial(submitted, self.cluster, busy(), column), number)
            first = submitted(self.cluster, busy(workers=2), column)
            self.cluster.post(f"/ex/{first.ex}/_stop")
            started = self.cluster.post(f"/jobs/{first.job}/_start")
            cases[0] = Case(
                self.cluster, first.job, started["ex_id"], column, older=first.ex, body=first.body
            )
            self._cases[column] = cases

    def cases(self, column: str) -> list[Case]:
        """Executions in that status, which the cluster goes on to."""
        if column != "pending":
            self._schedule()
        if column in ("initializing", "rejected"):
            self._initialize()
        for case in self._cases[column]:
            self.cluster.wait_status(case.ex, column)
        return self._cases[column]

    def thaw(self) -> None:
        """Hold nothing any more."""
        for case in [case for cases in self._cases.values() for case in cases if case.is_held]:
            case.release()

    def _schedule(self) -> None:
        """The worker daemon comes, but nothing can be forked."""
        if "worker" in self.cluster.daemons:
            return
        freeze({spawner_of(self.cluster)})
        self.cluster.add_worker(workers=SLOTS)
        for case in self._cases["scheduling"]:
            case.release, case.is_held = self._initialize, True

    def _initialize(self) -> None:
        """Everything is forked; the controllers of some go no further."""
        if self._is_initializing:
            return
        self._is_initializing = True
        spawner, cases = spawner_of(self.cluster), self._cases["initializing"]
        wanted = {case.ex for case in cases}
        with frozen_at_birth(spawner) as frozen:
            thaw({spawner})
            self.cluster.eventually(lambda: wanted <= set(self._controllers()), "controllers are born")
        pids = {ex: pid for ex, pid in self._controllers().items() if ex in wanted}
        thaw(frozen - set(pids.values()))
        for case in cases:
            case.release, case.is_held = partial(thaw, {pids[case.ex]}), True

    def _controllers(self) -> dict[str, int]:
        entries = [entry for node in self.cluster.get("/cluster/state").values() for entry in node["active"]]
        return {
            entry["ex_id"]: entry["pid"]
            for entry in entries
            if entry["assignment"] == "execution_controller" and entry["pid"]
        }
