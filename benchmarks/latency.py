"""Rows about how soon: a slice on an idle cluster, and the first slice of a job."""

from __future__ import annotations

import sqlite3
import statistics
import time
from contextlib import closing
from pathlib import Path

from benchmarks.figures import Figure, Stage, percentile, wait_for
from benchmarks.ours import cluster_of
from tests.acceptance.harness import Cluster
from tests.acceptance.jobs import generated, noop

TICKS, PERIOD_MS, WARM_UP = 400, 20, 20
LOOK_SECONDS = 0.0002
TRIES = 20


def idle(stage: Stage) -> list[Figure]:
    """From the slicer's own clock when it made the request, until another process reads the completion.

    A reader of SQLite's WAL sees a transaction only after it was synced: this is "durable", plus the 0.2 ms
    at most between two looks.
    """
    reader = {"_op": "bench_ticker", "ms": PERIOD_MS}
    job = {"name": "ticker", "lifecycle": "persistent", "workers": 2, "operations": [reader, noop()]}
    with cluster_of(stage.folder / "cluster", 2) as cluster:
        ex_id = cluster.submit(job)
        cluster.wait_completed(ex_id, WARM_UP)
        latencies = _watch(cluster.store(ex_id), TICKS)
        cluster.post(f"/ex/{ex_id}/_stop", timeout=10_000)
    return [
        Figure(
            "made by the slicer → completion durable, p50", [statistics.median(latencies)], "ms", at_most=3
        ),
        Figure("the same, p99", [percentile(latencies, 99)], "ms", at_most=10, note=f"{TICKS} slices"),
        Figure("the same, p90", [percentile(latencies, 90)], "ms"),
    ]


def _watch(store: Path, number: int) -> list[float]:
    """The latencies of the next slices, in milliseconds; each completion is looked for every 0.2 ms."""
    found: list[float] = []
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as reader:
        last: int = reader.execute("SELECT max(seq) FROM slices").fetchone()[0]
        version = 0
        while len(found) < number:
            time.sleep(LOOK_SECONDS)
            newest: int = reader.execute("PRAGMA data_version").fetchone()[0]
            if newest == version:
                continue
            version, seen = newest, time.time_ns()
            done = "SELECT seq, request FROM slices WHERE seq > ? AND state = 2 ORDER BY seq"
            for seq, request in reader.execute(done, (last,)).fetchall():
                found.append((seen - int(request)) / 1e6)
                last = seq
    return found


def first_slice(stage: Stage) -> list[Figure]:
    """From sending `POST /jobs` until the API shows the first slice completed; the cluster is warm."""
    figures = []
    with cluster_of(stage.folder / "cluster", 8) as cluster:
        for workers, limit in ((2, 100), (8, 300)):
            _one_try(cluster, workers)
            tries = [_one_try(cluster, workers) * 1000 for _ in range(TRIES)]
            what = f"POST /jobs → first slice completed, {workers} workers"
            figures.append(Figure(what, tries, "ms", at_most=limit))
    return figures


def _one_try(cluster: Cluster, workers: int) -> float:
    """Returns when no process of it is left."""
    started = time.perf_counter()
    ex_id = cluster.submit(generated(noop(), size=workers, workers=workers))
    wait_for(lambda: cluster.counts(ex_id)["completed"] > 0, pause=0.001)
    seconds = time.perf_counter() - started
    cluster.wait_until_over(ex_id)
    cluster.wait_until_gone(ex_id)
    return seconds
