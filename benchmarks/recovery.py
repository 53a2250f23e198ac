"""How long a kill interrupts: from SIGKILL until work goes on, and what a dead worker costs a whole run.

| killed        | from                         | until                                                 |
| ------------- | ---------------------------- | ----------------------------------------------------- |
| worker        | the kill                     | a slice of its successor is recorded as completed     |
| controller    | the kill                     | one more slice is recorded as completed               |
| master        | the start of the next master | it shows the execution running, controller and worker |
| worker daemon | the start of the next daemon | a slice of the new daemon is recorded as completed    |

There is one worker, so that nobody else hides the gap.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.report import save, scratch, table
from tests.acceptance.harness import Cluster, is_alive, launch, running_cluster
from tests.acceptance.jobs import delay, exporter, generated, noop

TRIES = 20
SLICE_MS = 10
BUSY_SECONDS = 1.0  # of work between two kills
SLICES, SHORT_MS, WORKERS, PAIRS = 2_000, 5, 4, 5
LIMITS = {"worker": 0.5, "controller": 3.0, "master": 3.0, "worker daemon": 3.0}


def main() -> None:
    """Measure, print, save."""
    with scratch() as folder:
        with running_cluster(folder / "one", 1) as cluster:
            recoveries = [recover(cluster, kind, work) for kind, work in KINDS.items()]
        table(f"from SIGKILL to work going on, {TRIES} tries, seconds", recoveries)
        with running_cluster(folder / "four", WORKERS) as cluster:
            cost = cost_of_a_worker(cluster, folder)
        table(f"{SLICES:,} slices of {SHORT_MS} ms, {WORKERS} workers, a worker killed at 40 %", [cost])
    save("recovery", {"recoveries": recoveries, "cost": cost})


def recover(cluster: Cluster, kind: str, kill: Callable[[Cluster, str], float]) -> dict[str, Any]:
    """One endless execution, killed again and again."""
    ex_id = cluster.submit(generated(delay(SLICE_MS), noop(), size=1, workers=1, lifecycle="persistent"))
    cluster.wait_completed(ex_id, 10)
    seconds = []
    for _ in range(TRIES):
        time.sleep(BUSY_SECONDS)
        seconds.append(kill(cluster, ex_id))
    cluster.post(f"/ex/{ex_id}/_stop", timeout=1_000)
    median = statistics.median(seconds)
    return {
        "killed": kind,
        "median_s": round(median, 3),
        "best_s": round(min(seconds), 3),
        "worst_s": round(max(seconds), 3),
        "limit_s": LIMITS[kind],
        "holds": median < LIMITS[kind],
    }


def kill_worker(cluster: Cluster, ex_id: str) -> float:
    """Until a worker with another number has completed a slice."""
    pid = cluster.pids("worker", ex_id)[0]
    number = newest(cluster, ex_id, "worker")
    started = time.perf_counter()
    os.kill(pid, signal.SIGKILL)
    return until(lambda: newest(cluster, ex_id, "worker") > number, started)


def kill_controller(cluster: Cluster, ex_id: str) -> float:
    """Until more is recorded than before."""
    controller = cluster.pids("execution_controller", ex_id)[0]
    started = time.perf_counter()
    os.kill(controller, signal.SIGKILL)
    until(lambda: not is_alive(controller), started)
    completed = recorded(cluster, ex_id)
    return until(lambda: recorded(cluster, ex_id) > completed, started)


def kill_master(cluster: Cluster, ex_id: str) -> float:
    """Until the next master shows the execution running, its controller and its worker connected."""
    cluster.kill("master")
    started = relaunch(cluster, "master")

    def has_taken_over() -> bool:
        controllers = [entry["ex_id"] for entry in cluster.get("/cluster/controllers")]
        return ex_id in controllers and bool(cluster.pids("worker", ex_id)) and is_running(cluster, ex_id)

    return until(has_taken_over, started)


def kill_daemon(cluster: Cluster, ex_id: str) -> float:
    """Until a slice that the next daemon ran is recorded."""
    node = newest(cluster, ex_id, "node")
    cluster.kill("worker")
    started = relaunch(cluster, "worker")
    return until(lambda: newest(cluster, ex_id, "node") > node, started)


KINDS: dict[str, Callable[[Cluster, str], float]] = {
    "worker": kill_worker,
    "controller": kill_controller,
    "master": kill_master,
    "worker daemon": kill_daemon,
}


def cost_of_a_worker(cluster: Cluster, folder: Path) -> dict[str, Any]:
    """Pairs of runs, one after the other, so that what else the machine does hits both alike."""
    whole, hurt = [], []
    for number in range(PAIRS):
        whole.append(run(cluster, folder / f"whole-{number}", kills=0))
        hurt.append(run(cluster, folder / f"hurt-{number}", kills=1))
    without, with_kill = statistics.median(whole), statistics.median(hurt)
    return {
        "without_s": round(without, 3),
        "with_s": round(with_kill, 3),
        "more_percent": round(100 * (with_kill / without - 1), 1),
        "limit_percent": 6,
        "holds": with_kill < 1.06 * without,
    }


def run(cluster: Cluster, output: Path, *, kills: int) -> float:
    """The seconds from the submission to the end."""
    job = generated(
        delay(SHORT_MS), exporter(output, file_per_slice=True), size=SLICES, workers=WORKERS, name="recovery"
    )
    started = time.perf_counter()
    ex_id = cluster.submit(job)
    while recorded(cluster, ex_id) < SLICES * 2 // 5:
        time.sleep(0.01)
    for pid in cluster.pids("worker", ex_id)[:kills]:
        os.kill(pid, signal.SIGKILL)
    cluster.wait_until_over(ex_id)
    seconds = time.perf_counter() - started
    assert cluster.status(ex_id) == "completed"
    cluster.wait_until_gone(ex_id)
    return seconds


def relaunch(cluster: Cluster, name: str) -> float:
    """Start a daemon again without waiting for it; when that was."""
    daemon = cluster.daemons[name]
    started = time.perf_counter()
    daemon.process = launch(daemon.command, daemon.config, daemon.log, mark=cluster.mark)
    return started


def is_running(cluster: Cluster, ex_id: str) -> bool:
    """Whether its status says so."""
    return cluster.status(ex_id) == "running"


def recorded(cluster: Cluster, ex_id: str) -> int:
    """Completed slices, by the store, which outlives all."""
    return query(cluster, ex_id, "SELECT completed FROM execution")


def newest(cluster: Cluster, ex_id: str, column: str) -> int:
    """The highest worker number, or key of a daemon's incarnation, that has completed a slice."""
    return query(
        cluster,
        ex_id,
        f"SELECT coalesce(max({column}), 0) FROM slices WHERE state = 2 AND seq > "
        "(SELECT max(seq) FROM slices) - 500",
    )


def query(cluster: Cluster, ex_id: str, sql: str) -> int:
    """One number out of the store."""
    try:
        with closing(sqlite3.connect(f"file:{cluster.store(ex_id)}?mode=ro", uri=True)) as connection:
            found = connection.execute(sql).fetchone()
    except sqlite3.OperationalError:  # it is just being made
        return 0
    return int(found[0]) if found else 0


def until(check: Callable[[], bool], started: float) -> float:
    """Seconds since `started` when `check` first holds; a master that is away is waited for."""
    while True:
        try:
            if check():
                return time.perf_counter() - started
        except (OSError, LookupError, AssertionError, ValueError):
            pass
        time.sleep(0.005)


if __name__ == "__main__":
    main()
