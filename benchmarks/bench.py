"""`make bench`: how many slices a second, how much memory, and how soon the first slice is done.

Everything goes through the HTTP API of a cluster with default settings: durability full, analytics on.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks.memory import Usage, usages
from benchmarks.report import save, scratch, table
from tests.acceptance.harness import TERMINAL, Cluster, running_cluster
from tests.acceptance.jobs import generated, noop

SLICES = 100_000
WORKERS = 2
TRIES = 20
EARLY, LATE = 0.05, 0.9  # the parts of the slices at which memory is read


def main() -> None:
    """Measure, print, save."""
    with (
        scratch() as folder,
        running_cluster(folder / "cluster", WORKERS) as cluster,
    ):
        latency = first_slice(cluster)
        throughput = many_slices(cluster)
    save("bench", {"throughput": throughput, "first_slice": latency})


def many_slices(cluster: Cluster) -> dict[str, Any]:
    """Slices a second from `running` to `completed`, and memory on the way."""
    submitted = time.perf_counter()
    ex_id = cluster.submit(generated(noop(), size=SLICES, workers=WORKERS, name="bench"))
    wait_for(lambda: cluster.status(ex_id) == "running")
    started = time.perf_counter()
    wait_for(lambda: cluster.counts(ex_id)["completed"] >= SLICES * EARLY)
    early = usages(cluster, ex_id)
    wait_for(lambda: cluster.counts(ex_id)["completed"] >= SLICES * LATE)
    late = usages(cluster, ex_id)
    wait_for(lambda: cluster.status(ex_id) in TERMINAL)
    ended = time.perf_counter()
    seconds = ended - started
    result = {
        "slices": SLICES,
        "status": cluster.status(ex_id),
        "counts": cluster.counts(ex_id),
        "seconds": round(seconds, 3),
        "seconds_from_submit": round(ended - submitted, 3),
        "slices_per_second": round(SLICES / seconds),
    }
    table(f"{SLICES:,} slices of one record, noop, {WORKERS} workers", [result])
    memory = growth(early, late)
    table(f"memory (PSS, MB) at {EARLY:.0%} and {LATE:.0%} of the slices", memory)
    return {**result, "memory": memory}


def growth(early: list[Usage], late: list[Usage]) -> list[dict[str, Any]]:
    """One row for each process that was there at both times."""
    after = {usage.pid: usage.bytes for usage in late}
    return [
        {
            "process": usage.role,
            "pid": usage.pid,
            "start_mb": megabytes(usage.bytes),
            "end_mb": megabytes(after[usage.pid]),
            "growth_mb": megabytes(after[usage.pid] - usage.bytes),
        }
        for usage in early
        if usage.pid in after
    ]


def first_slice(cluster: Cluster) -> dict[str, Any]:
    """From sending `POST /jobs` until the API shows the first slice completed; the cluster is warm."""
    run_one(cluster)
    seconds = sorted(run_one(cluster) for _ in range(TRIES))
    result = {
        "tries": TRIES,
        "median_ms": milliseconds(statistics.median(seconds)),
        "best_ms": milliseconds(seconds[0]),
        "worst_ms": milliseconds(seconds[-1]),
    }
    table("from POST /jobs to the first slice completed, cluster warm", [result])
    return {**result, "all_ms": [milliseconds(each) for each in seconds]}


def run_one(cluster: Cluster) -> float:
    """One try; returns when no process of it is left."""
    started = time.perf_counter()
    ex_id = cluster.submit(generated(noop(), size=1, workers=WORKERS))
    wait_for(lambda: cluster.counts(ex_id)["completed"] == 1, pause=0.001)
    seconds = time.perf_counter() - started
    cluster.wait_until_over(ex_id)
    cluster.wait_until_gone(ex_id)
    return seconds


def wait_for(check: Callable[[], bool], *, pause: float = 0.02) -> None:
    """Look again and again; a request that fails is a failure of the benchmark."""
    while not check():
        time.sleep(pause)


def milliseconds(seconds: float) -> float:
    """To a tenth."""
    return round(seconds * 1000, 1)


def megabytes(number: int) -> float:
    """To a tenth."""
    return round(number / 1_000_000, 1)


if __name__ == "__main__":
    main()
