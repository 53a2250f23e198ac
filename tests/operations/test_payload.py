"""Bytes to records and back, by `_encoding`."""

from __future__ import annotations

from typing import Any

import pytest

from sliceworks.operations.payload import decode, encode


def test_json_is_an_object() -> None:
    record = decode(b'{"a": 1}', "json", {"topic": "t"})
    assert record == {"a": 1}
    assert record.metadata == {"topic": "t"}
    assert encode(record, "json") == b'{"a":1}'
    with pytest.raises(TypeError, match="list is no record"):
        decode("[1]", "json")
    with pytest.raises(ValueError, match="unexpected"):
        decode(b"{", "json")


def test_raw_is_left_as_it_is() -> None:
    record = decode(b"\xff{", "raw")
    assert record == {"data": b"\xff{"}
    assert encode(record, "raw") == b"\xff{"
    assert encode({"data": "é"}, "raw") == "é".encode()
    with pytest.raises(TypeError, match="this one has NoneType"):
        encode({"text": "a"}, "raw")


@pytest.mark.parametrize(("encoding", "data"), [("json", {"a": 1}), ("raw", {"data": b'{"a":1}'})])
def test_operations_use_their_encoding(operation: Any, encoding: str, data: Any) -> None:
    op = operation("noop", _encoding=encoding)
    assert op.decode(b'{"a":1}') == data
    assert op.encode(data) == b'{"a":1}'
