"""Many rows as one parameter for each column, to be unnested by the server.

A column of numbers is written as the text of an array by orjson: 4 µs for 512 of them, where psycopg takes
300 for a list.  A column of bytes goes in PostgreSQL's binary form.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson
import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

from sliceworks.master.store.batch import Row
from sliceworks.master.store.postgres import clean

_BYTEA: Final = 17
_BYTEA_ARRAY: Final = 1_001
_pack_length: Final = struct.Struct("!i").pack
_pack_header: Final = struct.Struct("!5i").pack  # dimensions, has nulls, element type, length, lower bound


class BytesColumn(tuple[bytes, ...]):
    """A column of bytes; none of them is None."""

    __slots__ = ()


class BytesColumnDumper(Dumper):
    """A bytea[] in binary form."""

    format = Format.BINARY
    oid = _BYTEA_ARRAY

    def dump(self, obj: BytesColumn) -> bytes:
        """Header, then each element after its length."""
        parts = [_pack_header(1, 0, _BYTEA, len(obj), 1)]
        for value in obj:
            parts.append(_pack_length(len(value)))
            parts.append(value)
        return b"".join(parts)


def register_arrays(connection: psycopg.Connection[Any]) -> None:
    """Teach a connection to send columns."""
    connection.adapters.register_dumper(BytesColumn, BytesColumnDumper)


def columns_of(rows: Iterable[Row]) -> list[object]:
    """The parameters for an unnest of these rows; each column has one type, or None."""
    return [_array(column) for column in zip(*rows, strict=True)]


def _array(column: Sequence[Any]) -> object:
    match next((value for value in column if value is not None), None):
        case bytes():
            return BytesColumn(column)
        case str():
            return [clean(value) for value in column]
        case _:
            return f"{{{orjson.dumps(column).decode()[1:-1]}}}"
