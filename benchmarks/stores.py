"""How many slices a second each engine of the state store takes: `python -m benchmarks.stores`.

What a controller writes under load, without the controller: each batch has new slices, leased at once, and
completes those of the batch before.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.report import scratch, table
from sliceworks.master.store.batch import Batch, Group, Head
from sliceworks.master.store.engine import StateStore
from tests.postgres_server import embedded_binaries, running

GROUP = 512
BATCHES = 200
REQUEST = b'{"start":1234567,"size":1,"seed":null}'
EX_ID = "0b5309f9-35d7-444a-be97-55e4de4aef41"


def main() -> None:
    """Measure and print."""
    with scratch() as folder, running(embedded_binaries()) as server:
        urls = {"sqlite": "sqlite", "postgresql": server.new_url()}
        rows = [measure(engine, url, folder) for engine, url in urls.items()]
    table(f"{BATCHES} batches of {GROUP} new and {GROUP} completed slices", rows)


def measure(engine: str, url: str, folder: Path) -> dict[str, Any]:
    """Wall clock, and the processor time of this process: what is left to the controller's other threads."""
    store = StateStore(url, folder, "full").open_execution(EX_ID, generation=1)
    batches = [batch(number) for number in range(1, BATCHES + 2)]
    cpu_seconds, seconds = time.process_time(), time.perf_counter()
    for each in batches:
        store.apply(each)
    cpu_seconds, seconds = time.process_time() - cpu_seconds, time.perf_counter() - seconds
    store.close()
    slices = GROUP * BATCHES
    return {
        "engine": engine,
        "slices_per_second": round(slices / seconds),
        "rows_written_per_second": round(2 * slices / seconds),
        "own_cpu_us_per_slice": round(cpu_seconds / slices * 1e6, 1),
    }


def batch(number: int) -> Batch:
    """New slices of this number, and the ends of those of the number before."""
    new = seqs(number) if number <= BATCHES else []
    group = Group(
        inserts=[(seq, 0, seq, REQUEST, 1, 1, 1_700_000_000_000, 1_700_000_000_000, 1, 5) for seq in new],
        completions=[(7, 1_700_000_000_000, 123, 1_700_000_000_001, seq) for seq in seqs(number - 1)],
    )
    slicers = [(0, number * GROUP, REQUEST, None, 0)]
    return Batch(number, asdict(Head()), [group], slicers, [], [])


def seqs(number: int) -> Sequence[int]:
    """The slices of a batch; none before the first."""
    return range((number - 1) * GROUP + 1, number * GROUP + 1) if number else ()


if __name__ == "__main__":
    main()
