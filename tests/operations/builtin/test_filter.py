"""The filter: which records go on."""

from __future__ import annotations

from typing import Any

import pytest

from sliceworks.operations import RecordBatch, Records

RECORDS: Records = [{"a": "x"}, {"a": "yx"}, {"a": 15}, {"a": None}, {"b": 1}, {"a": True}]


@pytest.mark.parametrize(
    ("options", "places"),
    [
        ({"value": "x"}, [0]),
        ({"value": 15}, [2]),
        ({"value": True}, [5]),
        ({"value": "x", "invert": True}, [1, 2, 3, 4, 5]),
        ({"regex": "x"}, [0, 1]),
        ({"regex": "^x"}, [0]),
        ({"regex": "^15$"}, [2]),
        ({"regex": "None|True"}, [5]),
        ({"regex": "x", "invert": True}, [2, 3, 4, 5]),
    ],
)
def test_value_and_regex(operation: Any, options: dict[str, Any], places: list[int]) -> None:
    expected = [RECORDS[place] for place in places]
    tested = operation("filter", field="a", **options)
    assert tested.on_batch(RECORDS) == expected
    assert [record for record in RECORDS if tested.filter(record)] == expected


@pytest.mark.parametrize("invert", [True, False])
def test_texts_only(operation: Any, invert: bool) -> None:
    tested = operation("filter", field="a", regex="x", invert=invert)
    assert tested.on_batch(RECORDS[:2]) == ([] if invert else RECORDS[:2])


def test_a_batch_stays_a_batch(operation: Any) -> None:
    class Source:
        def metadata_at(self, place: int) -> dict[str, Any]:
            return {"place": place}

    kept = operation("filter", field="a", regex="y").on_batch(RecordBatch(RECORDS, Source()))
    assert isinstance(kept, RecordBatch)
    assert kept.metadata_of(0) == {"place": 1}


def test_what_is_no_record_goes_where_the_job_says(operation: Any) -> None:
    with pytest.raises(AttributeError):
        operation("filter", field="a", regex="x").on_batch([None])
    assert operation("filter", field="a", regex="x", _dead_letter_action="none").on_batch([None]) == []


def test_faults(option_faults: Any) -> None:
    def faults(**options: Any) -> dict[str, str]:
        found: dict[str, str] = option_faults({"_op": "filter", **options})
        return found

    assert faults(field="a", regex="x") == faults(field="a", value=0) == {}
    assert "exactly one of value and regex" in faults(field="a")["regex"]
    assert "exactly one of value and regex" in faults(field="a", value="x", regex="x")["regex"]
    assert faults(field="a", regex="a(")["regex"] == (
        "operation filter, option regex: is not a regular expression: "
        "missing ), unterminated subpattern at position 1"
    )
