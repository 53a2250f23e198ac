"""The json_parser operation."""

from __future__ import annotations

from typing import Any

import pytest

from sliceworks.operations.record import DataEntity, RecordBatch, metadata_of


class Places:
    def metadata_at(self, place: int) -> dict[str, Any]:
        return {"place": place}


def test_objects_take_the_place_of_their_text(operation: Any) -> None:
    op = operation("json_parser")
    assert op.on_batch([{"data": '{"a": 1}'}, {"data": b'{"b": 2}', "c": 3}]) == [{"a": 1}, {"b": 2}]
    assert op.on_batch([]) == []
    assert operation("json_parser", field="x").on_batch([{"x": "{}"}]) == [{}]


def test_metadata_stay(operation: Any) -> None:
    op = operation("json_parser", _dead_letter_action="none")
    batch = RecordBatch([{"data": '{"a": 1}'}, {"data": "bad"}, {"data": '{"a": 3}'}], Places())
    parsed = op.on_batch(batch)
    assert parsed == [{"a": 1}, {"a": 3}]
    assert [metadata_of(parsed, index) for index in range(2)] == [{"place": 0}, {"place": 2}]
    whole = op.on_batch(RecordBatch(batch[:1], Places()))
    assert isinstance(whole, RecordBatch)
    [entity] = op.on_batch([DataEntity({"data": "{}"}, {"key": 7})])
    assert entity.get_metadata("key") == 7


@pytest.mark.parametrize(
    ("record", "error"),
    [
        ({"data": "{"}, "unexpected end"),
        ({"data": "[1]"}, "the text in data is no JSON object but list"),
        ({"other": "{}"}, "there is no text in the field data"),
        ({"data": 5}, "there is no text in the field data"),
        (5, "there is no text in the field data"),
    ],
)
def test_bad_records(operation: Any, record: Any, error: str) -> None:
    with pytest.raises((ValueError, TypeError), match=error):
        operation("json_parser").on_batch([{"data": "{}"}, record])
    assert operation("json_parser", _dead_letter_action="log").on_batch([record, {"data": "{}"}]) == [{}]
