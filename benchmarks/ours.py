"""Running jobs on a cluster of ours, through its HTTP API, with default settings."""

from __future__ import annotations

import math
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.figures import wait_for
from tests.acceptance.harness import TERMINAL, Cluster, running_cluster
from tests.acceptance.jobs import Job, generated, noop

LAUNCHER = Path(__file__).parent / "launcher"
PAUSE = 0.03  # between two looks at a status: what is asked costs the master time


@contextmanager
def cluster_of(folder: Path, *nodes: int, **settings: Any) -> Iterator[Cluster]:
    """A cluster whose processes also know the operations of `launcher/`."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(LAUNCHER)
    try:
        with running_cluster(folder, *nodes, **settings) as cluster:
            yield cluster
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def seconds_of(cluster: Cluster, *jobs: Job) -> float:
    """From the first execution being `running` until all are `completed`; no process is left then.

    A busy master may show `running` late: if a slice was made before, the time counts from that slice.
    """
    ex_ids = [cluster.submit(job) for job in jobs]
    wait_for(lambda: any(cluster.status(ex_id) != "pending" for ex_id in ex_ids), pause=0.005)
    wait_for(lambda: has_begun(cluster, ex_ids), pause=0.005)
    shown_running = time.time()
    wait_for(lambda: all(cluster.status(ex_id) in TERMINAL for ex_id in ex_ids), pause=PAUSE)
    ended = time.time()
    for ex_id in ex_ids:
        if cluster.status(ex_id) != "completed":
            message = f"{ex_id}: {cluster.get(f'/ex/{ex_id}')}"
            raise RuntimeError(message)
        cluster.wait_until_gone(ex_id)
    return ended - min(shown_running, *(first_made(cluster.store(ex_id)) for ex_id in ex_ids))


def first_made(store: Path) -> float:
    """When the first slice was made, on the wall clock; with another store than SQLite it is not known."""
    if not store.exists():
        return math.inf
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as reader:
        made_ms = reader.execute("SELECT created_ms FROM slices ORDER BY seq LIMIT 1").fetchone()
    return made_ms[0] / 1000 if made_ms else math.inf


def has_begun(cluster: Cluster, ex_ids: Sequence[str]) -> bool:
    """One of them is running, or over already."""
    return any(cluster.status(ex_id) in {"running", *TERMINAL} for ex_id in ex_ids)


def noop_job(slices: int, *, workers: int = 2) -> Job:
    """Slices of one small record each, that pass through."""
    return generated(noop(), size=slices, workers=workers, name="bench")


def rate(cluster: Cluster, slices: int, *, workers: int = 2) -> float:
    """Slices a second of one execution of nothing but slices."""
    return slices / seconds_of(cluster, noop_job(slices, workers=workers))
