"""Plants faults in the product, one at a time, and says which seed finds each: `python -m tools.mutants`."""

from __future__ import annotations

import multiprocessing
import sys
import time

from tools.simulate import PROCESSES, with_fixed_hashes


def main() -> int:
    """Print a line for each mutant; 1 if one was not found."""
    with_fixed_hashes("tools.mutants", sys.argv[1:])
    from tests.simulation.mutants import MUTANTS, SEEDS, hunt  # noqa: PLC0415 - after the order of sets is fixed

    started, survivors = time.monotonic(), 0
    print(f"{'mutant':46} {'seed':>5}  what was violated")
    with multiprocessing.get_context("fork").Pool(PROCESSES) as pool:
        for mutant, found in zip(MUTANTS, pool.imap(hunt, MUTANTS, chunksize=1), strict=True):
            survivors += found is None
            seed, why = (found.seed, found.failure) if found else ("-", f"not found by {len(SEEDS)} seeds")
            print(f"{mutant.name:46} {seed:>5}  {why}", flush=True)
    print(f"{len(MUTANTS) - survivors} of {len(MUTANTS)} found in {time.monotonic() - started:.0f} s")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
