"""Records to bytes of a file, in each format.

What cannot be written goes to `reject`; what it does not raise for is left out.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from sliceworks.operations.record import Records, metadata_of

Reject = Callable[[Any, Exception], None]


def encode_raw(records: Records, reject: Reject) -> bytes:
    """The text in the field `data` of each record, a line each."""
    try:
        lines = [record["data"] for record in records]
        text = "\n".join(lines)
    except (KeyError, TypeError):
        lines = _texts(records, reject)
        text = "\n".join(lines)
    return f"{text}\n".encode("utf-8", "replace") if lines else b""


def encode_ldjson(records: Records, reject: Reject) -> bytes:
    """One JSON object a line."""
    try:
        return b"".join([orjson.dumps(record, None, orjson.OPT_APPEND_NEWLINE) for record in records])
    except orjson.JSONEncodeError:
        return b"".join([text + b"\n" for text in _json_texts(records, reject)])


def encode_json(records: Records, reject: Reject) -> bytes:
    """One array, one element a line."""
    try:
        texts = [orjson.dumps(record) for record in records]
    except orjson.JSONEncodeError:
        texts = _json_texts(records, reject)
    return b"[\n" + b",\n".join(texts) + b"\n]\n" if texts else b""


def encode_csv(
    records: Records, *, columns: Sequence[str], delimiter: str, header: bool, reject: Reject
) -> bytes:
    """A row for each record: the values of the columns; lists and objects as JSON, nothing for null."""
    rows = io.StringIO()
    writer = csv.writer(rows, delimiter=delimiter, lineterminator="\n")
    if header:
        writer.writerow(columns)
    known = set(columns)
    for record in records:
        unknown = record.keys() - known
        if unknown:
            reject(
                record,
                ValueError(f"fields {sorted(unknown)} are none of the columns {list(columns)}: set fields"),
            )
            continue
        try:
            writer.writerow([_cell(record.get(column)) for column in columns])
        except (TypeError, csv.Error) as error:
            reject(record, error)
    return rows.getvalue().encode("utf-8", "replace")


def only_fields(records: Records, fields: Sequence[str]) -> Records:
    """The records with these fields only, in this order; what a record lacks is taken from its metadata."""
    chosen = []
    for index, record in enumerate(records):
        row = {field: record[field] for field in fields if field in record}
        if len(row) < len(fields):
            whole = metadata_of(records, index) | record
            row = {field: whole[field] for field in fields if field in whole}
        chosen.append(row)
    return chosen


def columns_of(records: Records) -> list[str]:
    """All fields of these records, in the order of their first appearance."""
    return list(dict.fromkeys(field for record in records for field in record))


def _texts(records: Records, reject: Reject) -> list[str]:
    """The slow way: for records without text."""
    lines = []
    for record in records:
        if isinstance(record.get("data"), str):
            lines.append(record["data"])
        else:
            reject(record, TypeError("the raw format needs text in the field data"))
    return lines


def _json_texts(records: Records, reject: Reject) -> list[bytes]:
    """The slow way: for records that cannot be written as JSON."""
    texts = []
    for record in records:
        try:
            texts.append(orjson.dumps(record))
        except orjson.JSONEncodeError as error:
            reject(record, error)
    return texts


def _cell(value: Any) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return value
    text: str = orjson.dumps(value).decode()
    return text
