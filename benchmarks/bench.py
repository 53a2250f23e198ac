"""`make bench`: every row of the table in docs/benchmarks.md, or those named: `make bench ROW=idle`.

Everything goes through the HTTP API of clusters with default settings: durability full, analytics on.  What
is compared is measured in turns in one run; absolute figures drift with the machine.  FULL=1 takes the long$
way: 1 GB instead of 200 MB, 5,000,000 slices instead of 1,000,000.  A row that cannot be measured
here says why.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable

from benchmarks import answers, crowd, latency, sizes, throughput, work
from benchmarks.figures import Figure, Skipped, Stage
from benchmarks.report import Outcome, save_table, scratch, table

ROWS: dict[str, Callable[[Stage], list[Figure]]] = {
    "throughput": throughput.one_execution,
    "postgres": throughput.postgres,
    "executions": throughput.executions,
    "idle": latency.idle,
    "first": latency.first_slice,
    "waiting": work.waiting,
    "ndjson": work.ndjson,
    "memory": sizes.memory,
    "daemons": crowd.daemons,
    "nodes": crowd.nodes,
    "skew": work.skew,
    "api": answers.api,
}


def main(names: list[str]) -> int:
    """Measure, print, save; 1 if a row failed."""
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        print(f"no row {', '.join(unknown)}; there are: {', '.join(ROWS)}", file=sys.stderr)
        return 2
    outcomes = []
    for name in names or ROWS:
        outcomes.append(measure(name))
        save_table(outcomes)
    print("\nwritten to bench-output/bench.json and bench-output/bench.md")
    return int(any(outcome.failure for outcome in outcomes))


def measure(name: str) -> Outcome:
    """One row, in a folder of its own."""
    started = time.perf_counter()
    outcome = Outcome(name)
    with scratch() as folder:
        try:
            outcome.figures = ROWS[name](Stage(folder, bool(os.environ.get("FULL"))))
        except Skipped as reason:
            outcome.skipped = str(reason)
        except (AssertionError, OSError, RuntimeError, ValueError) as error:
            outcome.failure = f"{type(error).__name__}: {str(error)[:500]}"
    outcome.seconds = round(time.perf_counter() - started, 1)
    table(f"{name} ({outcome.seconds} s)", outcome.lines())
    return outcome


def give_up(*_: object) -> None:
    """SIGTERM ends a run as Ctrl-C does: what it started is ended first."""
    sys.exit(143)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, give_up)
    sys.exit(main(sys.argv[1:]))
