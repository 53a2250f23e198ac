"""Bytes to records, in each format."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sliceworks.operations.builtin.decoding import (
    Decoded,
    decode_csv,
    decode_json,
    decode_ldjson,
    decode_raw,
    header_of,
)

BOM = b"\xef\xbb\xbf"


class Rejected(list[tuple[int, Any, str]]):
    """What was rejected."""

    def __call__(self, line: int, record: Any, error: Exception) -> None:
        self.append((line, record, str(error)))


def lines(data: bytes) -> list[str]:
    return [record["data"] for record in decode_raw(data).records]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"a", ["a"]),
        (b"a\n", ["a"]),
        (b"a\n\n", ["a", ""]),
        (b"\n", [""]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"a\r\r\n", ["a\r"]),
        (b"a\rb\x0bc\x0cd\x85e\n", ["a\rb\x0bc\x0cd\ufffde"]),
        ("a\u2028b\u0085c\n".encode(), ["a\u2028b\u0085c"]),
        (b"a\r", ["a\r"]),
        (b"\xff\n\xc3\n", ["\ufffd", "\ufffd"]),
    ],
)
def test_raw_lines_end_at_line_feeds_only(data: bytes, expected: list[str]) -> None:
    assert lines(data) == expected


@given(st.binary())
def test_raw_has_as_many_records_as_there_are_lines(data: bytes) -> None:
    assert len(lines(data)) == data.count(b"\n") + (not data.endswith(b"\n") and data != b"")


def test_ldjson() -> None:
    rejected = Rejected()
    assert decode_ldjson(BOM + b'{"a":1}\r\n{"a":2}', rejected) == Decoded([{"a": 1}, {"a": 2}])
    assert rejected == []


def test_ldjson_skips_blank_lines_and_replaces_wrong_bytes() -> None:
    rejected = Rejected()
    decoded = decode_ldjson(b'{"a":"\xff"}\n\n  \n{"a":2}\n', rejected)
    assert decoded == Decoded([{"a": "\ufffd"}, {"a": 2}], [0, 3])
    assert rejected == []


def test_ldjson_rejects_what_is_no_object() -> None:
    rejected = Rejected()
    decoded = decode_ldjson(b'5\n{"a":1}\n{"a":\n', rejected)
    assert decoded == Decoded([{"a": 1}], [1])
    assert [(line, record) for line, record, _ in rejected] == [(0, "5"), (2, '{"a":')]
    assert rejected[0][2] == "int is no record, a JSON object is wanted"


def test_json_arrays_and_objects() -> None:
    rejected = Rejected()
    assert decode_json(BOM + b'[{"a":1},\n{"a":2}]', rejected).records == [{"a": 1}, {"a": 2}]
    assert decode_json(b'{"a":1}', rejected).records == [{"a": 1}]
    assert decode_json(b"[]", rejected).records == []
    assert rejected == []


def test_json_rejects_what_is_no_object_and_what_is_no_json() -> None:
    rejected = Rejected()
    assert decode_json(b'[1,{"a":1}]', rejected).records == [{"a": 1}]
    assert decode_json(b'[{"a":1}', rejected).records == []
    assert [(line, record) for line, record, _ in rejected] == [(0, 1), (0, None)]


def csv(data: bytes, rejected: Rejected, *, header: bool = False, delimiter: str = ",") -> Decoded:
    return decode_csv(data, fields=["a", "b"], delimiter=delimiter, skips_header=header, reject=rejected)


def test_csv() -> None:
    rejected = Rejected()
    data = b'a,b\r\n1,"x, ""y"""\r\n\r\n2,"two\nlines"\r\n3\r\n'
    assert csv(data, rejected, header=True) == Decoded(
        [{"a": "1", "b": 'x, "y"'}, {"a": "2", "b": "two\nlines"}, {"a": "3"}], [1, 3, 5]
    )
    assert csv(b"1\t2\n", rejected, delimiter="\t").records == [{"a": "1", "b": "2"}]
    assert rejected == []


def test_csv_skips_a_header_only_where_there_can_be_one() -> None:
    assert csv(b"a,b\na,b\n", Rejected(), header=True).records == [{"a": "a", "b": "b"}]
    assert len(csv(b"a,b\n", Rejected(), header=False).records) == 1
    assert len(csv(b"1,2\na,b\n", Rejected(), header=True).records) == 2


def test_csv_rejects_rows_that_are_too_long_and_goes_on() -> None:
    rejected = Rejected()
    assert csv(b"1,2,3\n4,5\n", rejected).records == [{"a": "4", "b": "5"}]
    assert rejected == [(0, ["1", "2", "3"], "3 values for 2 fields")]


def test_csv_rejects_a_value_that_is_cut_off() -> None:
    rejected = Rejected()
    assert csv(b'1,2\n3,"cut', rejected).records == [{"a": "1", "b": "2"}]
    ((line, _, text),) = rejected
    assert line == 1
    assert "unexpected end of data" in text


def test_csv_has_no_small_limit_for_values() -> None:
    assert len(csv(b"1," + b"x" * 500_000, Rejected()).records[0]["b"]) == 500_000


def test_header() -> None:
    assert header_of(BOM + b'a,"b c"\r', ",") == ["a", "b c"]
    assert header_of(b"", ",") == []
