"""Rows with many nodes: 500 daemons with 2,000 workers on one controller, and 1,000 nodes at one master."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figures import Figure, Stage, percentile, ratio
from benchmarks.memory import pss_bytes
from benchmarks.ours import cluster_of, noop_job, seconds_of
from benchmarks.report import ROOT
from tests.acceptance.harness import Cluster

SLICES = 600_000
DAEMONS, WORKERS_EACH = 500, 4
NODES, REQUESTS, IDLE_SECONDS = 1_000, 200, 10
TURNS = 3
MB = 1_000_000


def daemons(stage: Stage) -> list[Figure]:
    """The same made-up daemon once, and 500 times; the workers behind them cost nothing in either."""
    rates: dict[int, list[float]] = {1: [], DAEMONS: []}
    peak = 0.0
    for turn in range(TURNS):
        for number, values in rates.items():
            with (
                cluster_of(stage.folder / f"{turn}-{number}") as cluster,
                swarm(cluster, number, WORKERS_EACH),
            ):
                with Peak(cluster) as watched:
                    job = noop_job(SLICES, workers=number * WORKERS_EACH)
                    values.append(SLICES / seconds_of(cluster, job))
                peak = max(peak, watched.bytes / MB) if number > 1 else peak
    one = Figure("one simulated daemon, 4 workers", rates[1], "/s")
    many = Figure(f"{DAEMONS} daemons, {DAEMONS * WORKERS_EACH:,} workers", rates[DAEMONS], "/s")
    return [
        one,
        many,
        ratio("many to one", many, one, at_least=0.5),
        Figure("controller at its largest (PSS)", [peak], "MB", at_most=300),
    ]


def nodes(stage: Stage) -> list[Figure]:
    """What the master takes when nothing happens, and how soon it shows all its nodes."""
    with cluster_of(stage.folder / "cluster") as cluster, swarm(cluster, NODES, WORKERS_EACH):
        pid = cluster.daemons["master"].pid
        before, started = cpu_seconds(pid), time.perf_counter()
        time.sleep(IDLE_SECONDS)
        idle = (cpu_seconds(pid) - before) / (time.perf_counter() - started)
        times = [_state_ms(cluster) for _ in range(REQUESTS)]
        size = pss_bytes(pid) / MB
    return [
        Figure("/cluster/state, p99", [percentile(times, 99)], "ms", at_most=50, note=f"{REQUESTS} requests"),
        Figure("the same, p50", [percentile(times, 50)], "ms"),
        Figure("master, share of a core when idle", [idle * 100], "%", at_most=20),
        Figure("master (PSS)", [size], "MB"),
    ]


@contextmanager
def swarm(cluster: Cluster, number: int, workers: int) -> Iterator[None]:
    """So many simulated daemons with so many slots, all connected."""
    command = [sys.executable, "-m", "benchmarks.swarm", str(cluster.port), str(number), str(workers)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline().strip() != "connected":
                message = "the simulated daemons did not connect"
                raise RuntimeError(message)
            yield
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


class Peak:
    """The largest memory of the one controller that lives meanwhile."""

    def __init__(self, cluster: Cluster) -> None:
        self.bytes = 0
        self._cluster = cluster
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        pid = 0
        while not self._over.wait(0.5):
            pid = pid or next((entry["pid"] for entry in _controllers(self._cluster)), 0)
            self.bytes = max(self.bytes, pss_bytes(pid)) if pid else 0


def cpu_seconds(pid: int) -> float:
    """Of all its threads, in user and kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _controllers(cluster: Cluster) -> list[dict[str, int]]:
    state = cluster.get("/cluster/state")
    return [e for node in state.values() for e in node["active"] if e["assignment"] == "execution_controller"]


def _state_ms(cluster: Cluster) -> float:
    started = time.perf_counter()
    cluster.get("/cluster/state")
    return (time.perf_counter() - started) * 1000
