"""Spans of time as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from sliceworks.protocol.durations import DurationMs, duration_ms, duration_text

field: TypeAdapter[int] = TypeAdapter(DurationMs)


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [
        (250, 250),
        (0, 0),
        ("250", 250),
        ("30s", 30_000),
        (" 5 minutes ", 300_000),
        ("1.5s", 1_500),
        ("2H", 7_200_000),
        ("7 days", 604_800_000),
        ("10ms", 10),
    ],
)
def test_what_is_accepted(written: int | str, milliseconds: int) -> None:
    assert duration_ms(written) == milliseconds
    assert field.validate_python(written) == milliseconds


@pytest.mark.parametrize("written", ["", "soon", "5 weeks", "-3s", "1e3", "s", True, None, 1.5, [1], -1])
def test_what_is_refused(written: object) -> None:
    with pytest.raises(ValidationError):
        field.validate_python(written)


@given(st.text())
def test_no_text_does_more_than_raise_value_error(text: str) -> None:
    try:
        assert duration_ms(text) >= 0
    except ValueError as error:
        assert "30s" in str(error)  # noqa: PT017 - any text may also be fine


@given(st.integers(0, 10**12))
def test_a_duration_as_text_reads_back_the_same(milliseconds: int) -> None:
    assert duration_ms(duration_text(milliseconds)) == milliseconds


def test_texts_are_short() -> None:
    assert [duration_text(ms) for ms in (0, 1_500, 30_000, 7_200_000)] == ["0", "1500ms", "30s", "2h"]
