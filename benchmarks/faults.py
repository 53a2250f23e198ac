"""`make faults`: kill each kind of process in mid-run with SIGKILL, and say what became of the slices.

The run is 300 slices of 40 ms with four workers and `file_exporter`, killed at two fifths.  "Silence" is the
longest time without a newly completed slice from the kill on; the fault-free run is there to compare with.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.report import save, scratch, table
from sliceworks.master.store.verify import verify_execution
from tests.acceptance.harness import Cluster, running_cluster
from tests.acceptance.jobs import delay, exporter, generated, written_ids
from tests.acceptance.kills import KILLS

SLICES = 300
WORKERS = 4


def main() -> None:
    """Measure, print, save."""
    victims: dict[str, Callable[[Cluster, str], None]] = {"nobody": kill_nobody, **KILLS}
    with (
        scratch() as folder,
        running_cluster(folder / "cluster", WORKERS) as cluster,
    ):
        rows = [
            run(cluster, folder, victim=victim, kill=kill, file_per_slice=file_per_slice)
            for file_per_slice in (False, True)
            for victim, kill in victims.items()
        ]
    table(f"{SLICES} slices of 40 ms, {WORKERS} workers, SIGKILL at two fifths", rows)
    save("faults", {"runs": rows})


def run(
    cluster: Cluster,
    folder: Path,
    *,
    victim: str,
    kill: Callable[[Cluster, str], None],
    file_per_slice: bool,
) -> dict[str, Any]:
    """One run with one kill."""
    output = folder / f"{victim}-{file_per_slice}"
    started = time.perf_counter()
    steps = (delay(40), exporter(output, file_per_slice=file_per_slice))
    ex_id = cluster.submit(generated(*steps, size=SLICES, workers=WORKERS))
    cluster.wait_completed(ex_id, SLICES * 2 // 5)
    with Silence(cluster.store(ex_id)) as silence:
        kill(cluster, ex_id)
        status = cluster.wait_until_over(ex_id)
    seconds = time.perf_counter() - started
    cluster.wait_until_gone(ex_id)
    counts, ids = cluster.counts(ex_id), written_ids(output)
    return {
        "killed": victim,
        "file_per_slice": file_per_slice,
        "status": status,
        "completed": counts["completed"],
        "ids_lost": SLICES - len(ids),
        "accounted_twice": sum(counts.values()) - SLICES,
        "written_twice": sum(ids.values()) - len(ids),
        "silence_s": round(silence.longest, 2),
        "seconds": round(seconds, 2),
        "verify": "ok" if verify_execution(cluster.store(ex_id)).ok else "differs",
    }


def kill_nobody(_cluster: Cluster, _ex_id: str) -> None:
    """The fault-free run."""


class Silence:
    """The longest time in which no slice became completed; read from the store, which outlives all."""

    def __init__(self, store: Path) -> None:
        self.longest = 0.0
        self._store = store
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Silence:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        last, since = -1, time.perf_counter()
        while last < SLICES and not self._over.wait(0.01):
            completed, now = verify_execution(self._store).counts.completed, time.perf_counter()
            if completed != last:
                last, since = completed, now
            self.longest = max(self.longest, now - since)


if __name__ == "__main__":
    main()
