"""Tables as text."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sliceworks.cli.table import cells_of, lines_of, visible

IDS = ["0123456789abcdef0123456789abcdef0123"] * 2
LONG = "a reason that is much longer than anything else in this table and has to be broken"


def plain(_column: str, text: str) -> str:
    return text


def made(columns: list[str], rows: list[list[str]], width: int | None = None) -> list[str]:
    return list(lines_of(columns, rows, width=width, paint=plain))


def test_columns_are_two_spaces_apart() -> None:
    assert made(["a", "long name"], [["1", "x"], ["22", ""]]) == [
        "a   long name",
        "-   ---------",
        "1   x",
        "22",
    ]


def test_without_a_width_nothing_is_broken() -> None:
    assert made(["id", "reason"], [[IDS[0], LONG]])[-1] == f"{IDS[0]}  {LONG}"


def test_texts_are_broken_and_ids_are_not() -> None:
    lines = made(["ex_id", "reason"], [[IDS[0], LONG], [IDS[1], "short"]], 80)
    assert max(len(line) for line in lines) <= 80
    assert lines[2].startswith(IDS[0])
    assert " ".join(line[38:].strip() for line in lines[2:-1]) == LONG
    assert lines[-1] == f"{IDS[1]}  short"


def test_a_terminal_that_is_too_narrow_gets_ids_whole() -> None:
    lines = made(["ex_id", "job_id"], [IDS], 20)
    assert lines[-1] == "  ".join(IDS)


def test_wide_letters_take_two_places() -> None:
    assert cells_of("日本") == 4
    assert cells_of("e\u0301") == 1
    assert made(["a", "b"], [["日本", "x"], ["ab", "y"]])[2:] == ["日本  x", "ab    y"]


@pytest.mark.parametrize(
    ("text", "shown"), [("a\x1b[31m", "a\\x1b[31m"), ("a\nb\tc", "a b c"), ("\x07", "\\x07"), ("ä日", "ä日")]
)
def test_what_a_terminal_would_obey_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.lists(st.lists(st.text(max_size=60), min_size=3, max_size=3), max_size=5), st.integers(1, 200))
def test_any_text_makes_a_table(rows: list[list[str]], width: int) -> None:
    lines = made(["one", "two", "an_id"], rows, width)
    assert len(lines) >= 2 + len(rows)
    assert all(line.isprintable() for line in lines)
    for before, after in pairwise(lines):
        assert "\n" not in before + after
