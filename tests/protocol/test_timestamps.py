"""Moments as documents carry them."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from sliceworks.protocol.timestamps import iso_from_ms


def test_the_form() -> None:
    assert iso_from_ms(0) == "1970-01-01T00:00:00.000Z"
    assert iso_from_ms(1_795_295_606_059) == "2026-11-21T21:13:26.059Z"


@given(st.integers(0, 4_000_000_000_000))
def test_it_reads_back_to_the_same_moment(wall_ms: int) -> None:
    moment = datetime.fromisoformat(iso_from_ms(wall_ms))
    assert moment.tzinfo == UTC
    assert round(moment.timestamp() * 1000) == wall_ms
