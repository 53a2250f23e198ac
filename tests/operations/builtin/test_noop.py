"""The no-op."""

from __future__ import annotations

from typing import Any


def test_passes_records_on(operation: Any) -> None:
    records = [{"a": 1}]
    assert operation("noop").on_batch(records) is records
