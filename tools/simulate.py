"""Plays a whole cluster on virtual time through many schedules of faults: `python -m tools.simulate`.

`--seeds N` (or SEEDS=N): the first N seeds; `--seed N` (or SEED=N): that one again, exactly as it was.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

PROCESSES = 2
FIXED_HASHES = "0"


def with_fixed_hashes(module: str, arguments: Sequence[str]) -> None:
    """Start again with the same order of sets in every process, without which no seed replays exactly."""
    if os.environ.get("PYTHONHASHSEED") != FIXED_HASHES:
        command = [sys.executable, "-m", module, *arguments]
        os.execve(sys.executable, command, {**os.environ, "PYTHONHASHSEED": FIXED_HASHES})  # noqa: S606


def main(arguments: Sequence[str]) -> int:
    """Print the report; 1 if a schedule failed, or a fault was never injected in a long campaign."""
    parser = argparse.ArgumentParser(prog="simulate", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=int(os.environ.get("SEEDS") or 300))
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED") or 0))
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--processes", type=int, default=PROCESSES)
    options = parser.parse_args(arguments)
    with_fixed_hashes("tools.simulate", arguments)
    return _replay(options.seed) if options.seed else _campaign(options)


def _campaign(options: argparse.Namespace) -> int:
    from tests.simulation.campaign import run_campaign  # noqa: PLC0415 - after the order of sets is fixed

    seeds = range(options.first, options.first + options.seeds)
    report = run_campaign(seeds, processes=options.processes)
    print(report.text())
    return 1 if report.failures else 0


def _replay(seed: int) -> int:
    from tests.simulation.world import run_seed  # noqa: PLC0415 - as above

    outcome = run_seed(seed)
    for (kind, step), count in sorted(outcome.injected.items()):
        print(f"{count} x {kind} at {step}")
    endings = ", ".join(f"{count} {status}" for status, count in outcome.statuses.items())
    print(f"SEED={seed}: {outcome.virtual_ms} ms, {outcome.actions} actions; {endings}")
    print(f"{outcome.failure}\n{outcome.trace}" if outcome.failure else "nothing is wrong")
    return 1 if outcome.failure else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
