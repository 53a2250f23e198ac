"""The delay: records, later."""

from __future__ import annotations

import time
from typing import Any

import pytest


@pytest.mark.parametrize(("ms", "seconds"), [(50, 0.05), ("2s", 2.0), (0, 0.0), (None, 0.1)])
def test_pauses_once_and_passes_records_on(
    operation: Any, monkeypatch: pytest.MonkeyPatch, ms: Any, seconds: float
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    records = [{"a": 1}, {"a": 2}]
    options = {} if ms is None else {"ms": ms}
    assert operation("delay", **options).on_batch(records) is records
    assert slept == [seconds]
