"""Bytes to records and back, as the `_encoding` of an operation says.

`json`: the bytes are a JSON object, the record is that object.  `raw`: the bytes are not looked at; the
record is `{"data": bytes}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

import orjson

from sliceworks.operations.record import DataEntity, Record

Encoding: TypeAlias = Literal["json", "raw"]

RAW_FIELD: Final = "data"


def decode(data: bytes | str, encoding: Encoding, metadata: Mapping[str, Any] | None = None) -> DataEntity:
    """The record that these bytes stand for; ValueError or TypeError if they stand for none."""
    if encoding == "raw":
        return DataEntity({RAW_FIELD: data}, metadata)
    value = orjson.loads(data)
    if not isinstance(value, dict):
        message = f"{type(value).__name__} is no record, a JSON object is wanted"
        raise TypeError(message)
    return DataEntity(value, metadata)


def encode(record: Record, encoding: Encoding) -> bytes:
    """The bytes of a record; TypeError if it has none: no JSON value, or no bytes or text in `data`."""
    if encoding == "json":
        return orjson.dumps(record)
    data = record.get(RAW_FIELD)
    if isinstance(data, bytes):
        return data
    if isinstance(data, str):
        return data.encode()
    message = f"a raw record has bytes or text in the field {RAW_FIELD}, this one has {type(data).__name__}"
    raise TypeError(message)
