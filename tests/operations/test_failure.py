"""Error texts: what they say first, and their limit."""

from __future__ import annotations

from sliceworks.operations.failure import capped, error_text
from sliceworks.protocol.messages import MAX_ERROR_CHARS


class RudeError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def test_says_operation_error_and_where() -> None:
    try:
        raise KeyError("missing")
    except KeyError as error:
        text = error_text("reader", error)
    assert text.startswith("reader: KeyError: 'missing'\n\nTraceback")
    assert "test_says_operation_error_and_where" in text


def test_an_error_without_a_text_still_has_one() -> None:
    assert error_text("op", RudeError()).startswith("op: ")


def test_a_long_text_keeps_its_ends() -> None:
    text = capped("begin" + "x" * 200_000 + "end")
    assert len(text) <= MAX_ERROR_CHARS
    assert text.startswith("begin")
    assert text.endswith("end")
    assert "characters left out" in text
    assert capped("short") == "short"
