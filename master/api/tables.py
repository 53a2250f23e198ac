"""Tables as text: columns as wide as their widest cell, parted by two spaces, padded to the end of the line.

Nothing but text goes in and comes out, so that every resource can show its documents this way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

MISSING: Final = "N/A"
_GAP: Final = "  "
_BREAKS: Final = dict.fromkeys((*range(0x20), 0x7F, 0x85, 0x2028, 0x2029), " ")


def columns_of(fields: str, default: Sequence[str]) -> list[str]:
    """The columns that the option `fields` names, by commas; without any, the default ones."""
    named = [name.strip() for name in fields.split(",") if name.strip()]
    return named or list(default)


def table(
    columns: Sequence[str], rows: Sequence[Mapping[str, Any]], *, missing: str = MISSING, headers: bool = True
) -> str:
    """The documents as lines, under a line of names and one of dashes; without any, one blank line.

    A column may be a dotted path into a document.  `missing` stands for what a document does not have.
    """
    cells = [[_cell(row, column, missing) for column in columns] for row in rows]
    body = cells or [[""] * len(columns)]
    titles = [_plain(column) for column in columns]
    widths = [
        max(map(len, parts)) for parts in zip(titles if headers else [""] * len(titles), *body, strict=True)
    ]
    head = [titles, ["-" * width for width in widths]] if headers else []
    return "".join(_line(line, widths) for line in [*head, *body])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
    return _GAP.join(padded) + "\n"


def _cell(row: Mapping[str, Any], column: str, missing: str) -> str:
    match _value(row, column):
        case None:
            return missing
        case str() as text:
            return _plain(text)
        case value:
            return _plain(orjson.dumps(value).decode())


def _value(row: Mapping[str, Any], column: str) -> object:
    if column in row:
        return row[column]
    value: object = row
    for key in column.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _plain(text: str) -> str:
    """On one line."""
    return text.translate(_BREAKS)
