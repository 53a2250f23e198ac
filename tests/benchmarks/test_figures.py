"""What the table says of what was measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.bench import ROWS, main
from benchmarks.figures import Figure, percentile, ratio
from benchmarks.report import ROOT, Outcome
from benchmarks.work import list_scheduling


def test_a_figure_is_held_against_its_target_by_its_median() -> None:
    figure = Figure("slices a second", [10.0, 30.0, 50.0], "/s", at_least=30)
    assert figure.holds
    line = figure.line("throughput")
    assert (line["median"], line["spread"], line["target"], line["met"]) == (
        "30.0 /s",
        "10.0 to 50.0",
        "≥ 30.0 /s",
        "yes",
    )
    assert not Figure("seconds", [2.0], "s", at_most=1).holds
    assert Figure("seconds", [2.0], "s").holds is None


def test_a_ratio_is_that_of_the_medians() -> None:
    compared = ratio("ours to theirs", Figure("a", [2, 4, 90]), Figure("b", [1, 2, 3]), at_least=2)
    assert compared.median == 2
    assert compared.holds


def test_percentile() -> None:
    assert percentile(range(1, 101), 99) == 100
    assert percentile([5.0], 50) == 5.0


def test_list_scheduling_gives_the_next_to_whoever_is_free() -> None:
    assert list_scheduling([4_000, 1_000, 1_000, 1_000], 2) == 4
    assert list_scheduling([1_000] * 4, 2) == 2


def test_a_row_that_was_not_measured_says_why() -> None:
    assert Outcome("postgres", skipped="no server").lines()[0]["note"] == "skipped: no server"


def test_each_row_is_described() -> None:
    page = Path(ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert [name for name in ROWS if f"| `{name}` |" not in page] == []


def test_a_wrong_row_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nothing"]) == 2
    assert "there are: throughput" in capsys.readouterr().err
