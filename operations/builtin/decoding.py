"""Bytes of a file to records, in each format.

Text is UTF-8; wrong bytes are replaced by U+FFFD.  Lines end at a line feed only, and the carriage return
before it goes with it.  What is no record goes to `reject`; what it does not raise for is left out.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from sliceworks.operations.record import Record, Records

_BOM = b"\xef\xbb\xbf"

Reject = Callable[[int, Any, Exception], None]
"""Called with the number of the line (from 0), what it holds, and what is wrong with it."""

csv.field_size_limit(sys.maxsize)  # a slice has a size; its fields need no other limit


@dataclass(frozen=True, slots=True)
class Decoded:
    """Records, and the line that each of them is on; None: the n-th record is line n."""

    records: Records
    lines: Sequence[int] | None = None


def decode_raw(data: bytes) -> Decoded:
    """A record for each line, empty ones too: `{"data": line}`."""
    text = data.decode("utf-8", "replace")
    if b"\r" in data:
        text = text.replace("\r\n", "\n")
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return Decoded([{"data": line} for line in lines])


def decode_ldjson(data: bytes, reject: Reject) -> Decoded:
    """A record for each line that is not blank."""
    lines = data.removeprefix(_BOM).split(b"\n")
    if not lines[-1]:
        lines.pop()
    loads = orjson.loads
    try:
        records = [loads(line) for line in lines]
    except orjson.JSONDecodeError:
        return _decode_one_by_one(lines, reject)
    if set(map(type, records)) <= {dict}:
        return Decoded(records)
    return _decode_one_by_one(lines, reject)


def decode_json(data: bytes, reject: Reject) -> Decoded:
    """The objects of one array; a single object is one record."""
    try:
        found = _loads(data.removeprefix(_BOM))
    except orjson.JSONDecodeError as error:
        reject(0, None, error)
        return Decoded([])
    values = found if isinstance(found, list) else [found]
    records = []
    for value in values:
        if isinstance(value, dict):
            records.append(value)
        else:
            reject(0, value, TypeError(f"{type(value).__name__} is no record, a JSON object is wanted"))
    return Decoded(records, [0] * len(records))


def decode_csv(
    data: bytes, *, fields: Sequence[str], delimiter: str, skips_header: bool, reject: Reject
) -> Decoded:
    """A record for each row, but the first if it is a header to skip: the names of the fields.

    A row with too few values lacks the last fields; one with too many is no record.
    """
    header = list(fields) if skips_header else None
    rows = _rows(data, delimiter)
    records: Records = []
    lines: list[int] = []
    line = 0
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            reject(line, None, ValueError(f"no {delimiter!r}-separated values: {error}"))
            line = rows.line_num
            continue
        if row is None:
            return Decoded(records, lines)
        if row and not (line == 0 and row == header):
            _add_row(row, fields, line, records=records, lines=lines, reject=reject)
        line = rows.line_num


def header_of(first_line: bytes, delimiter: str) -> list[str]:
    """The field names in the first line of a file."""
    return next(_rows(first_line, delimiter), [])


def _add_row(
    row: list[str], fields: Sequence[str], line: int, *, records: Records, lines: list[int], reject: Reject
) -> None:
    if len(row) > len(fields):
        reject(line, row, ValueError(f"{len(row)} values for {len(fields)} fields"))
        return
    records.append(dict(zip(fields, row, strict=False)))
    lines.append(line)


def _rows(data: bytes, delimiter: str) -> Any:
    text = data.removeprefix(_BOM).decode("utf-8", "replace")
    return csv.reader(io.StringIO(text, newline="\n"), delimiter=delimiter, strict=True)


def _decode_one_by_one(lines: list[bytes], reject: Reject) -> Decoded:
    """The slow way: for blank lines, wrong UTF-8, and what is no record."""
    records: Records = []
    numbers: list[int] = []
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        try:
            records.append(_object(line))
            numbers.append(number)
        except (ValueError, TypeError) as error:
            reject(number, line.decode("utf-8", "replace"), error)
    return Decoded(records, numbers)


def _object(line: bytes) -> Record:
    value = _loads(line)
    if not isinstance(value, dict):
        message = f"{type(value).__name__} is no record, a JSON object is wanted"
        raise TypeError(message)
    return value


def _loads(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return orjson.loads(data.decode("utf-8", "replace"))
