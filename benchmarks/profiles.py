"""Where the time goes at full rate: `python -m benchmarks.profiles` looks at controller, daemon and a worker.

py-spy reads their stacks from outside, so that nothing in the product knows of it.  Native code counts
for the function that called it; threads that wait are left out.
"""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks import peers
from benchmarks.crowd import cpu_seconds
from benchmarks.memory import usages
from benchmarks.ours import cluster_of, noop_job
from benchmarks.report import save, scratch, table
from tests.acceptance.harness import Cluster

SLICES, SECONDS, LINES = 400_000, 6, 25


def main() -> None:
    """Measure, print, save."""
    with scratch() as folder, cluster_of(folder / "cluster", 2) as cluster:
        costs = cpu_by_process(cluster)
        ex_id = cluster.submit(noop_job(SLICES))
        cluster.wait_completed(ex_id, SLICES // 20)
        pids = {
            "controller": cluster.pids("execution_controller", ex_id)[0],
            "daemon": cluster.daemons["worker"].pid,
            "worker": cluster.pids("worker", ex_id)[0],
        }
        running = {name: record(pid, folder / name) for name, pid in pids.items()}
        for process in running.values():
            process.wait(60)
        cluster.wait_until_over(ex_id, seconds=300)
        found = {name: read(folder / name) for name in pids}
    table("CPU of each process, in microseconds a slice", costs)
    for name, lines in found.items():
        table(f"{name}: share of its samples, %", lines)
    save("profiles", {"cpu": costs, **found})


def cpu_by_process(cluster: Cluster) -> list[dict[str, Any]]:
    """From a tenth of the slices to nine tenths."""
    ex_id = cluster.submit(noop_job(SLICES))
    cluster.wait_completed(ex_id, SLICES // 10)
    done = cluster.counts(ex_id)["completed"]
    before = {usage.pid: (usage.role, cpu_seconds(usage.pid)) for usage in usages(cluster, ex_id)}
    cluster.wait_completed(ex_id, SLICES * 9 // 10)
    done = cluster.counts(ex_id)["completed"] - done
    costs = [
        {"process": role, "us_a_slice": round((cpu_seconds(pid) - seconds) * 1e6 / done, 2)}
        for pid, (role, seconds) in before.items()
    ]
    cluster.wait_until_over(ex_id, seconds=300)
    cluster.wait_until_gone(ex_id)
    return costs


def record(pid: int, target: Path) -> subprocess.Popen[bytes]:
    """Sample one process into a file of stacks."""
    spy = peers.environment("py-spy") / "bin" / "py-spy"
    options = ["--pid", str(pid), "--format", "raw", "--duration", str(SECONDS), "--rate", "250"]
    return subprocess.Popen(
        [spy, "record", *options, "--nonblocking", "--output", target],
        stdout=subprocess.DEVNULL,
    )


def read(path: Path) -> list[dict[str, Any]]:
    """The functions with the most samples: on top of the stack, and anywhere in it."""
    own, whole, total = Counter[str](), Counter[str](), 0
    for line in path.read_text().splitlines():
        stack, _, number = line.rpartition(" ")
        frames = [_short(frame) for frame in stack.split(";")]
        total += int(number)
        own[frames[-1]] += int(number)
        whole.update(dict.fromkeys(frames, int(number)))
    return [
        {"own": _percent(count, total), "with_callees": _percent(whole[name], total), "function": name}
        for name, count in own.most_common(LINES)
    ]


def _percent(count: int, total: int) -> float:
    return round(100 * count / total, 1)


def _short(frame: str) -> str:
    """Without the folders, and without the line."""
    name, _, place = frame.partition(" (")
    file = place.rpartition(":")[0] or place.rstrip(")")
    return f"{name} ({os.path.relpath(file) if os.path.isabs(file) else file})"  # noqa: PTH117


if __name__ == "__main__":
    main()
