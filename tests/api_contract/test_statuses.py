"""The table of endpoints and statuses, compared cell by cell with real clusters."""

from __future__ import annotations

import pytest

from tests.api_contract.comparison import Comparison
from tests.api_contract.early import Early
from tests.api_contract.stages import Running


@pytest.mark.parametrize("column", Early.ORDER)
def test_before_it_runs(column: str, early: Early, comparison: Comparison) -> None:
    cases = early.cases(column)
    found = comparison.fields(cases[0]) + comparison.column(comparison.table.calls, cases)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "column",
    [
        *("running", "failing", "paused", "stopping", "recovering", "crashed"),
        *("completed", "stopped", "failed", "terminated"),
    ],
)
def test_from_then_on(column: str, running: Running, comparison: Comparison) -> None:
    cases = running.cases(column, comparison.needed(comparison.table.calls, column))
    found = comparison.fields(cases[0]) + comparison.column(comparison.table.calls, cases)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("column", ["never started", "deleted", "unknown"])
def test_without_an_execution(column: str, running: Running, comparison: Comparison) -> None:
    rows = comparison.table.without_execution
    found = comparison.column(rows, running.without(column, comparison.needed(rows, column)))
    assert not found, "\n".join(found)


def test_every_cell_was_compared(comparison: Comparison, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{comparison.cells} cells compared, {len(comparison.differences)} differences")
    assert comparison.cells == comparison.table.size
