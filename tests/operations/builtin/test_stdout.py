"""The stdout operation."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest


def test_all_records_are_written(operation: Any, capsys: pytest.CaptureFixture[str]) -> None:
    records = [{"a": "é"}, {"a": date(2025, 1, 2)}, {"a": {3}}]
    assert operation("stdout").on_batch(records) is records
    assert capsys.readouterr().out == '{"a":"é"}\n{"a":"2025-01-02"}\n{"a":"{3}"}\n'


def test_the_first_of_each_slice(operation: Any, capsys: pytest.CaptureFixture[str]) -> None:
    op = operation("stdout", limit=1)
    for _ in range(2):
        assert len(op.on_batch([{"a": 1}, {"a": 2}])) == 2
    op.on_batch([])
    assert capsys.readouterr().out == '{"a":1}\n{"a":1}\n'
