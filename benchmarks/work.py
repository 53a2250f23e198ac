"""Rows with slices that take their time: short waits, unequal lengths, and a large file."""

from __future__ import annotations

import heapq
import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import peers
from benchmarks.figures import Figure, Skipped, Stage, ratio
from benchmarks.ours import cluster_of, seconds_of
from benchmarks.report import ROOT
from tests.acceptance.harness import Cluster
from tests.acceptance.jobs import delay, exporter, generated, noop

TURNS = 3
WAITS, WAIT_MS = 2_000, 10
SHORT_MS, LONG_MS, LONGS, SKEWED, SKEW_WORKERS = 2, 200, 100, 10_000, 8
FIELD, VALUE = "kind", "a"
MB = 1_000_000


def waiting(stage: Stage) -> list[Figure]:
    """2,000 slices of 10 ms of waiting, 2 workers; 10 s of it cannot be had cheaper."""
    job = generated(delay(WAIT_MS), size=WAITS, workers=2, name="waiting")
    with cluster_of(stage.folder / "cluster", 2) as cluster:
        seconds = [seconds_of(cluster, job) for _ in range(TURNS)]
    return [Figure("running → completed", seconds, "s", at_most=10.5)]


def skew(stage: Stage) -> list[Figure]:
    """Long slices at fixed random places, against list scheduling of the same lengths in the same order."""
    lengths = [SHORT_MS] * SKEWED
    for place in random.Random(6).sample(range(SKEWED), LONGS):
        lengths[place] = LONG_MS
    path = stage.folder / "lengths.json"
    path.write_text(json.dumps(lengths))
    reader = {"_op": "bench_lengths", "path": str(path)}
    job = {"name": "skew", "workers": SKEW_WORKERS, "operations": [reader, noop()]}
    with cluster_of(stage.folder / "cluster", SKEW_WORKERS) as cluster:
        seconds = [seconds_of(cluster, job) for _ in range(TURNS)]
    ours, ideal = Figure("running → completed", seconds, "s"), list_scheduling(lengths, SKEW_WORKERS)
    over = Figure("to list scheduling", [each / ideal for each in seconds], "x", at_most=1.1)
    return [ours, Figure("list scheduling, computed", [ideal], "s"), over]


def list_scheduling(lengths: list[int], workers: int) -> float:
    """Seconds, when whoever is free takes the next slice, at no cost."""
    free_at = [0] * workers
    for length in lengths:
        heapq.heapreplace(free_at, free_at[0] + length)
    return max(free_at) / 1000


def ndjson(stage: Stage) -> list[Figure]:
    """Read, parse, filter, write: ours with 2 workers, a plain loop, and dask.bag, in turns."""
    source = stage.folder / "source.ndjson"
    write_ndjson(source, (1_000 if stage.is_full else 200) * MB)
    size = source.stat().st_size / MB
    missing = ""
    measured: dict[str, list[float]] = {"sliceworks": [], "loop": [], "dask.bag": []}
    with cluster_of(stage.folder / "cluster", 2) as cluster:
        turns: dict[str, Callable[[Path], float]] = {
            "sliceworks": lambda target: ours_ndjson(cluster, source, target),
            "loop": lambda target: loop_ndjson(source, target),
            "dask.bag": lambda target: dask_bag(source, target),
        }
        for _ in range(TURNS):
            for name, turn in turns.items():
                try:
                    measured[name].append(size / in_new_folder(stage.folder / "target", turn))
                except Skipped as reason:
                    missing = str(reason)
    ours = Figure(f"{size:,.0f} MB, ours", measured["sliceworks"], "MB/s", note=missing)
    loop = Figure("plain loop, one process", measured["loop"], "MB/s")
    figures = [ours, loop, ratio("ours to the loop", ours, loop, at_least=1.6)]
    if measured["dask.bag"]:
        bag = Figure("dask.bag, two processes", measured["dask.bag"], "MB/s")
        figures += [bag, ratio("ours to dask.bag", ours, bag, at_least=1.0)]
    return figures


def write_ndjson(path: Path, size: int) -> None:
    """Lines of about 200 bytes; every third is wanted."""
    block = "".join(
        json.dumps({"id": n, FIELD: "abc"[n % 3], "name": f"record {n}", "text": "x" * 120, "at": n / 7})
        + "\n"
        for n in range(10_000)
    )
    with path.open("w") as file:
        for _ in range(-(-size // len(block))):
            file.write(block)


def in_new_folder(folder: Path, turn: Callable[[Path], float]) -> float:
    folder.mkdir()
    try:
        return turn(folder)
    finally:
        shutil.rmtree(folder)


def ours_ndjson(cluster: Cluster, source: Path, target: Path) -> float:
    """Seconds."""
    reader = {"_op": "file_reader", "path": str(source), "format": "raw"}
    wanted = {"_op": "filter", "field": FIELD, "value": VALUE}
    steps = [reader, {"_op": "json_parser"}, wanted, exporter(target)]
    return seconds_of(cluster, {"name": "ndjson", "workers": 2, "operations": steps})


def loop_ndjson(source: Path, target: Path) -> float:
    """Seconds, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.work", str(source), str(target / "out.ndjson"), FIELD, VALUE]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=600)
    return float(done.stdout)


def dask_bag(source: Path, target: Path) -> float:
    """Seconds."""
    variables = {"source": source, "target": target, "field": FIELD, "value": VALUE}
    return peers.measure("dask", "dask_bag_peer.py", **variables)


def plain_loop(source: str, target: str, field: str, *, value: str) -> None:
    """What anybody would write, with the standard json module."""
    with Path(source).open() as lines, Path(target).open("w") as out:
        for line in lines:
            record = json.loads(line)
            if record[field] == value:
                out.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    begun = time.perf_counter()
    plain_loop(sys.argv[1], sys.argv[2], sys.argv[3], value=sys.argv[4])
    print(time.perf_counter() - begun)
