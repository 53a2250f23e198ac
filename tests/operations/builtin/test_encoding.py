"""Records to bytes, in each format."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sliceworks.operations import DataEntity, Records
from sliceworks.operations.builtin.decoding import decode_csv, decode_json, decode_ldjson, decode_raw
from sliceworks.operations.builtin.encoding import (
    columns_of,
    encode_csv,
    encode_json,
    encode_ldjson,
    encode_raw,
    only_fields,
)


class Rejected(list[tuple[Any, str]]):
    """What was rejected."""

    def __call__(self, record: Any, error: Exception) -> None:
        self.append((record, str(error)))


def never(*_: Any) -> None:
    raise AssertionError


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\0\ufeff"))
RECORDS = st.lists(st.fixed_dictionaries({"a": TEXT, "b": TEXT}), max_size=5)


@given(RECORDS)
def test_what_is_written_is_read_back(records: Records) -> None:
    assert decode_ldjson(encode_ldjson(records, never), never).records == records
    assert decode_json(encode_json(records, never) or b"[]", never).records == records
    data = encode_csv(records, columns=["a", "b"], delimiter=",", header=True, reject=never)
    assert (
        decode_csv(data, fields=["a", "b"], delimiter=",", skips_header=True, reject=never).records == records
    )
    raw = [{"data": record["a"]} for record in records]
    assert decode_raw(encode_raw(raw, never)).records == raw


def test_nothing_to_write_is_no_bytes() -> None:
    assert encode_raw([], never) == encode_ldjson([], never) == encode_json([], never) == b""


def test_what_cannot_be_written_is_rejected_and_the_rest_stays() -> None:
    good, bad = {"data": "x"}, {"data": object()}
    for encode, expected in (
        (encode_raw, b"x\n"),
        (encode_ldjson, b'{"data":"x"}\n'),
        (encode_json, b'[\n{"data":"x"}\n]\n'),
    ):
        rejected = Rejected()
        assert encode([bad, good], rejected) == expected
        assert [record for record, _ in rejected] == [bad]
        assert encode([bad], Rejected()) == b""
    assert encode_raw([{}, good], Rejected()) == b"x\n"


def test_text_that_is_no_unicode_is_replaced_in_raw() -> None:
    assert encode_raw([{"data": "a\ud800"}], never) == b"a?\n"


def test_csv_cells() -> None:
    record = {"a": None, "b": 1.5, "c": True, "d": ["x", {"y": 1}], "e": 'say "hi", you'}
    data = encode_csv([record], columns=list(record), delimiter=",", header=False, reject=never)
    assert data == b',1.5,true,"[""x"",{""y"":1}]","say ""hi"", you"\n'


def test_csv_rejects_fields_that_have_no_column() -> None:
    rejected = Rejected()
    data = encode_csv(
        [{"a": 1, "z": 2}, {"a": 3}], columns=["a"], delimiter="\t", header=True, reject=rejected
    )
    assert data == b"a\n3\n"
    assert rejected == [({"a": 1, "z": 2}, "fields ['z'] are none of the columns ['a']: set fields")]


def test_columns_are_all_fields_in_order() -> None:
    assert columns_of([{"b": 1}, {"a": 1, "b": 2}]) == ["b", "a"]


def test_fields_are_chosen_from_the_record_then_from_its_metadata() -> None:
    records: Records = [DataEntity({"a": 1, "b": 2}, {"path": "p", "a": 9}), {"b": 3}]
    assert only_fields(records, ["path", "a"]) == [{"path": "p", "a": 1}, {}]
