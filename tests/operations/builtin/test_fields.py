"""The operations set_field, drop_field and count_by_field."""

from __future__ import annotations

from typing import Any

import pytest

from sliceworks.operations.record import RecordBatch, metadata_of


class Places:
    def metadata_at(self, place: int) -> dict[str, Any]:
        return {"place": place}


@pytest.mark.parametrize("value", ["text", 5, None, [1], {"a": 1}, False])
def test_a_field_is_set(operation: Any, value: Any) -> None:
    op = operation("set_field", field="a", value=value)
    assert op.on_batch([{}, {"a": 0, "b": 1}]) == [{"a": value}, {"a": value, "b": 1}]


def test_fields_are_dropped(operation: Any) -> None:
    assert operation("drop_field", field="a").on_batch([{"a": 1, "b": 2}, {"b": 3}]) == [{"b": 2}, {"b": 3}]
    assert operation("drop_field", field=["a", "c"]).on_batch([{"a": 1, "b": 2, "c": 3}]) == [{"b": 2}]


def test_metadata_stay(operation: Any) -> None:
    batch = RecordBatch([{"a": 1}, {"a": 2}], Places())
    for op in (operation("set_field", field="b", value=1), operation("drop_field", field="a")):
        assert metadata_of(op.on_batch(batch), 1) == {"place": 1}


def test_values_are_counted(operation: Any) -> None:
    op = operation("count_by_field", field="a")
    assert op.on_batch([{"a": "x"}, {"a": "y"}, {"a": "y"}]) == [
        {"a": "y", "count": 2},
        {"a": "x", "count": 1},
    ]
    assert op.on_batch([]) == []


def test_values_of_any_kind_are_counted(operation: Any) -> None:
    records = [{"a": 1}, {"a": True}, {"a": {"x": 1, "y": [2]}}, {"a": {"y": [2], "x": 1}}, {}, {"a": None}]
    counts = operation("count_by_field", field="a").on_batch(records)
    assert counts == [
        {"a": {"x": 1, "y": [2]}, "count": 2},
        {"a": None, "count": 2},
        {"a": 1, "count": 1},
        {"a": True, "count": 1},
    ]
    assert [type(count["a"]) for count in counts[2:]] == [int, bool]


@pytest.mark.parametrize(
    ("entry", "option"),
    [
        ({"_op": "set_field", "field": "a"}, "value"),
        ({"_op": "set_field", "value": 1}, "field"),
        ({"_op": "drop_field"}, "field"),
        ({"_op": "drop_field", "field": ""}, "field"),
        ({"_op": "count_by_field"}, "field"),
        ({"_op": "json_parser", "field": ""}, "field"),
        ({"_op": "stdout", "limit": -1}, "limit"),
    ],
)
def test_faults(option_faults: Any, entry: dict[str, Any], option: str) -> None:
    assert list(option_faults(entry)) == [option]
