"""Recovery with real processes, on both stores: nothing is lost or done twice, whatever was killed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sliceworks.master.store.engine import StateStore
from sliceworks.master.store.verify import verify_execution
from tests.acceptance.harness import Cluster, running_cluster
from tests.acceptance.jobs import delay, exporter, generated, noop, written_ids
from tests.acceptance.kills import KILLS
from tests.postgres_server import embedded_binaries, running

WORKERS = 3
TYPES = ("", "all", "errors", "pending")
BREAKS_ODD = """
data=$(cat)
case "$data" in
*'"id":'[13579]',"'* | *'"id":'?[13579]',"'*) test -e "$FLAG" || exit 1 ;;
esac
printf %s "$data"
"""


@dataclass(frozen=True)
class Setup:
    """A cluster, and where its state is."""

    cluster: Cluster
    state: StateStore

    def recover(self, path: str, cleanup_type: str = "") -> str:
        """The ex_id of the new execution."""
        ex_id: str = self.cluster.post(f"{path}/_recover", cleanup_type=cleanup_type)["ex_id"]
        return ex_id

    def ended(self, ex_id: str) -> str:
        """How an execution ends; its counters are right."""
        status = self.cluster.wait_until_over(ex_id)
        with self.state.place(ex_id) as place:
            report = verify_execution(place)
        assert report.ok, report.differences
        return status

    def slices(self, ex_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.cluster.get(f"/ex/{ex_id}/slices", size=1000)
        return found


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def setup(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setup]:
    folder = tmp_path_factory.mktemp("cluster")
    with ExitStack() as stack:
        url = "sqlite"
        if request.param == "postgres":
            url = stack.enter_context(running(embedded_binaries())).new_url()
        cluster = stack.enter_context(running_cluster(folder, WORKERS, state={"url": url}))
        yield Setup(cluster, StateStore(url, folder / "master", "full"))


def test_a_stopped_run_is_finished_with_another_number_of_slicers(setup: Setup, tmp_path: Path) -> None:
    """The lineage goes on with the slicers that it has; statuses go by as they are to."""
    cluster, output = setup.cluster, tmp_path / "output"
    job = generated(delay(20), exporter(output, file_per_slice=True), size=200, slicers=2, workers=2)
    started = cluster.post("/jobs", job)
    first, job_id = started["ex_id"], started["job_id"]
    cluster.wait_completed(first, 20)
    assert cluster.request("POST", f"/ex/{first}/_recover").status == 409
    assert cluster.post(f"/ex/{first}/_stop")["status"] == "stopped"
    cluster.request("PUT", f"/jobs/{job_id}", {**job, "slicers": 3})
    left = cluster.counts(first)["pending"]
    assert left

    second = setup.recover(f"/jobs/{job_id}", "pending")
    seen = set[str]()

    def is_over() -> bool:
        seen.add(cluster.status(second))
        return "completed" in seen

    cluster.eventually(is_over, "it is recovered")
    assert "recovering" in seen
    assert cluster.counts(second) == {"pending": 0, "start": 0, "completed": left, "error": 0}
    assert {item["slice_id"] for item in setup.slices(second)} <= {
        item["slice_id"] for item in setup.slices(first)
    }
    assert all(item["attempts"][0]["epoch"] == 1 for item in setup.slices(second))

    third = setup.recover(f"/jobs/{job_id}")
    execution = cluster.get(f"/ex/{third}")
    assert (execution["slicers"], execution["recovered_execution"]) == (2, second)
    assert "recovered_slice_type" not in execution
    assert setup.ended(third) == "completed"
    assert written_ids(output) == dict.fromkeys(range(200), 1)

    fourth = setup.recover(f"/ex/{first}")
    assert setup.ended(fourth) == "completed"
    assert cluster.counts(fourth)["completed"] == 0


def test_errors_are_taken_up_alone_and_again_until_they_are_gone(setup: Setup, tmp_path: Path) -> None:
    cluster, flag, output = setup.cluster, tmp_path / "flag", tmp_path / "output"
    script = {"_op": "script", "command": "sh", "args": ["-c", BREAKS_ODD], "options": {"FLAG": str(flag)}}
    job = generated(script, exporter(output, file_per_slice=True), size=30, workers=2, max_retries=0)
    first = cluster.submit(job)
    assert setup.ended(first) == "failed"
    assert cluster.counts(first) == {"pending": 0, "start": 0, "completed": 15, "error": 15}

    second = setup.recover(f"/ex/{first}", "errors")
    assert setup.ended(second) == "failed"
    assert cluster.counts(second)["error"] == 15
    assert len(cluster.get(f"/ex/{second}/errors")) == 15
    third = setup.recover(f"/ex/{first}", "pending")
    assert setup.ended(third) == "completed"
    assert sum(cluster.counts(third).values()) == 0

    flag.touch()
    last = setup.recover(f"/ex/{first}", "errors")
    assert setup.ended(last) == "completed"
    assert cluster.counts(last)["completed"] == 15
    assert cluster.counts(first)["error"] == 15, "records of earlier executions never change"
    assert written_ids(output) == dict.fromkeys(range(30), 1)


def test_a_job_with_autorecover_goes_on_whenever_it_is_started(setup: Setup, tmp_path: Path) -> None:
    cluster, output = setup.cluster, tmp_path / "output"
    job = generated(delay(20), exporter(output, file_per_slice=True), size=120, workers=2, autorecover=True)
    started = cluster.post("/jobs", job)
    ex_id = started["ex_id"]
    for enough in (10, 20):
        cluster.wait_completed(ex_id, enough)
        cluster.post(f"/ex/{ex_id}/_stop", force="true")
        ex_id = cluster.post(f"/jobs/{started['job_id']}/_start")["ex_id"]
    assert cluster.get(f"/ex/{ex_id}")["recovered_slice_type"] == "pending"
    assert setup.ended(ex_id) == "completed"
    assert written_ids(output) == dict.fromkeys(range(120), 1)


def test_a_controller_that_is_killed_while_it_copies_neither_doubles_nor_loses(setup: Setup) -> None:
    cluster, slices = setup.cluster, 10_000
    fails = {"_op": "json_parser", "field": "url"}
    job = generated(fails, size=slices, workers=2, max_retries=0)
    started = cluster.post("/jobs", job)
    assert setup.ended(started["ex_id"]) == "failed"
    assert cluster.counts(started["ex_id"])["error"] == slices
    cluster.request("PUT", f"/jobs/{started['job_id']}", generated(noop(), size=slices, workers=2))
    ex_id = setup.recover(f"/jobs/{started['job_id']}", "errors")
    copied = []
    for done in (1, 2_000, 4_000):
        cluster.wait_completed(ex_id, done)
        KILLS["controller"](cluster, ex_id)
        copied.append(sum(cluster.counts(ex_id).values()))
    assert copied[0] < slices, "it was killed too late to show anything"
    assert setup.ended(ex_id) == "completed"
    assert cluster.counts(ex_id)["completed"] == slices


@pytest.mark.parametrize("seed", [1, 2])
def test_kills_stops_and_recoveries_of_every_kind_in_any_order(
    setup: Setup, tmp_path: Path, seed: int
) -> None:
    """At the end every record is there once, and every slice was completed by exactly one execution."""
    cluster, drawn, output = setup.cluster, random.Random(seed), tmp_path / "output"
    job = generated(delay(10), exporter(output, file_per_slice=True), size=300, slicers=2, workers=WORKERS)
    started = cluster.post("/jobs", job)
    family = [started["ex_id"]]
    for _ in range(5):
        ex_id = family[-1]
        wait_until_at_work(cluster, ex_id)
        with suppress(ProcessLookupError, IndexError):  # it may be over by now
            KILLS[drawn.choice(list(KILLS))](cluster, ex_id)
        wait_until_at_work(cluster, ex_id)
        cluster.post(f"/ex/{ex_id}/_stop", timeout=drawn.choice((0, 5, 1000)))
        setup.ended(ex_id)
        path = drawn.choice((f"/jobs/{started['job_id']}", f"/ex/{drawn.choice(family)}"))
        family.append(setup.recover(path, drawn.choice(TYPES)))
    setup.ended(family[-1])
    family.append(setup.recover(f"/jobs/{started['job_id']}"))
    assert setup.ended(family[-1]) == "completed"
    assert written_ids(output) == dict.fromkeys(range(300), 1)
    everything = [item for ex_id in family for item in setup.slices(ex_id)]
    done = Counter(item["slice_id"] for item in everything if item["state"] == "completed")
    assert len(done) == 300
    assert set(done.values()) == {1}


def wait_until_at_work(cluster: Cluster, ex_id: str) -> None:
    """Until it runs with workers, or is over."""

    def is_at_work() -> bool:
        status = cluster.status(ex_id)
        return status in {"completed", "failed"} or (
            status in {"running", "recovering", "failing"} and bool(cluster.pids("worker", ex_id))
        )

    cluster.eventually(is_at_work, f"{ex_id} is at work")
