"""Tables as text: columns two spaces apart, a line of dashes under the header, nothing left out.

On a terminal that is too narrow the texts are broken into lines, but never an id: ids are there to be copied.
What a document says is shown, not obeyed: control characters in it are written as escapes.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import Final

GAP: Final = "  "
NARROWEST: Final = 24
"""A column that is not wider stays as it is."""

Row = Sequence[str]
Paint = Callable[[str, str], str]
"""Given a column and a cell's text, padded: the text with colors."""


def lines_of(columns: Row, rows: Sequence[Row], *, width: int | None, paint: Paint) -> Iterator[str]:
    """The lines of a table at most `width` wide, if that can be; None: as wide as it is."""
    cells = [[visible(cell) for cell in row] for row in rows]
    widths = _widths(columns, cells, width)
    yield _line(columns, widths, columns, paint=lambda _, text: paint("", text))
    yield GAP.join(
        "-" * len(name) + " " * (wide - len(name)) for name, wide in zip(columns, widths, strict=True)
    ).rstrip()
    for row in cells:
        broken = [_broken(cell, wide) for cell, wide in zip(row, widths, strict=True)]
        for parts in zip_longest(*broken, fillvalue=""):
            yield _line(parts, widths, columns, paint=paint)


def visible(text: str) -> str:
    """The text with spaces for its white space, and escapes for what a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else _escape(letter) for letter in text)


def cells_of(text: str) -> int:
    """How many places of a terminal the text takes."""
    if text.isascii():
        return len(text)
    return sum(_places(letter) for letter in text)


def _places(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _escape(letter: str) -> str:
    return " " if letter.isspace() else letter.encode("unicode_escape").decode()


def _widths(columns: Row, rows: Sequence[Row], width: int | None) -> list[int]:
    widths = [
        max([cells_of(name), *(cells_of(row[place]) for row in rows)]) for place, name in enumerate(columns)
    ]
    if width is None:
        return widths
    left = sum(widths) + len(GAP) * (len(columns) - 1) - width
    flexible = [place for place, name in enumerate(columns) if not name.endswith("id")]
    while left > 0:
        widest = max(flexible, key=lambda place: widths[place], default=None)
        if widest is None or widths[widest] <= NARROWEST:
            break
        widths[widest] -= 1
        left -= 1
    return widths


def _broken(cell: str, width: int) -> list[str]:
    if cells_of(cell) <= width:
        return [cell]
    return textwrap.wrap(cell, width, break_on_hyphens=False) if cell.isascii() else [cell]


def _line(cells: Sequence[str], widths: Sequence[int], columns: Row, *, paint: Paint) -> str:
    padded = [
        paint(name, cell) + " " * (wide - cells_of(cell))
        for cell, wide, name in zip(cells, widths, columns, strict=True)
    ]
    return GAP.join(padded).rstrip()
