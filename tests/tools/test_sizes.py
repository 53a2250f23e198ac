"""Sizes: what is measured, and that the allow-list only shrinks."""

from __future__ import annotations

from pathlib import Path

from tools.sizes import Size, faults, measure

SOURCE = '''"""A module."""


class Thing:
    """A class."""

    def method(self, one, two, *, three):
        """A docstring
        of two lines."""
        x = 1

        return x
'''


def measured(tmp_path: Path, name: str) -> dict[tuple[str, str], int]:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SOURCE)
    return {(size.where, size.what): size.size for size in measure(path, tmp_path)}


def test_measures_files_bodies_and_positional_arguments(tmp_path: Path) -> None:
    assert measured(tmp_path, "room/thing.py") == {
        ("room/thing.py", "lines"): 12,
        ("room/thing.py:Thing.method", "body"): 3,
        ("room/thing.py:Thing.method", "arguments"): 2,
    }


def test_arguments_of_tests_are_not_limited(tmp_path: Path) -> None:
    assert ("tests/test_thing.py:Thing.method", "arguments") not in measured(tmp_path, "tests/test_thing.py")


def test_what_is_over_its_limit_is_a_fault() -> None:
    assert faults([Size("a.py", "lines", 500), Size("b.py", "lines", 501)], {}) == [
        "b.py: 501 lines, the limit is 500"
    ]


def test_an_allowed_size_is_no_fault_until_it_grows() -> None:
    allowed = {("a.py:f", "body"): 50}
    assert faults([Size("a.py:f", "body", 50)], allowed) == []
    assert faults([Size("a.py:f", "body", 51)], allowed) == ["a.py:f: 51 body, the limit is 40"]


def test_an_entry_that_could_shrink_is_a_fault() -> None:
    allowed = {("a.py:f", "body"): 50}
    assert faults([Size("a.py:f", "body", 45)], allowed) == ["sizes_allowed.txt: lower a.py:f body to 45"]
    assert faults([], allowed) == ["sizes_allowed.txt: drop a.py:f body, it is within the limit"]
