"""A few hundred schedules of faults, as CI plays them; and that the simulation can be trusted."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.simulation.mutants import MUTANTS, Mutant, hunt
from tools.tree import ROOT

SEEDS = 300
QUICK = (
    "acknowledged before commit",
    "not requeued on worker death",
    "generation not checked",
    "wish overwritten by an old report",
)


def simulate(*arguments: str) -> subprocess.CompletedProcess[str]:
    """In processes of their own, because a seed replays only with a fixed order of sets."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / ".dev")}
    command = [sys.executable, "-m", "tools.simulate", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.timeout(600)
def test_no_schedule_of_faults_loses_a_slice_or_breaks_another_rule() -> None:
    done = simulate("--seeds", str(SEEDS))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"{SEEDS} schedules")


def test_a_seed_replays_exactly() -> None:
    first, second = simulate("--seed", "11"), simulate("--seed", "11")
    assert first.stdout == second.stdout
    assert "SEED=11" in first.stdout


@pytest.mark.parametrize(
    "mutant", [item for item in MUTANTS if item.name in QUICK], ids=lambda item: item.name
)
def test_a_planted_fault_is_found(mutant: Mutant) -> None:
    assert hunt(mutant) is not None
