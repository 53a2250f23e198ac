"""What commands print: a table on a terminal, one JSON document a line on a pipe, or as `-o` says."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from itertools import islice
from typing import Any, Final, TypeVar

import click

from sliceworks.cli.table import lines_of, visible

Command = TypeVar("Command", bound=Callable[..., Any])
Document = Mapping[str, Any]

_COLORED: Final = frozenset({"_status", "status", "state"})
_COLORS: Final = {
    "completed": "green",
    "connected": "green",
    "running": "cyan",
    "recovering": "cyan",
    "start": "cyan",
    "paused": "yellow",
    "stopping": "yellow",
    "failing": "red",
    "failed": "red",
    "rejected": "red",
    "terminated": "red",
    "disconnected": "red",
    "error": "red",
    "timed out": "red",
}


class Style(StrEnum):
    """The forms of `-o`."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"


def output_option(command: Command) -> Command:
    """Gives a command `-o`, as the argument `style`."""
    return click.option(
        "-o",
        "--output",
        "style",
        type=click.Choice([style.value for style in Style]),
        callback=_style,
        help="How to print.  [default: table on a terminal, ndjson on a pipe]",
    )(command)


def _style(_context: click.Context, _parameter: click.Parameter, value: str | None) -> Style:
    return Style(value) if value else default_style()


def default_style() -> Style:
    """By what stdout is."""
    return Style.TABLE if sys.stdout.isatty() else Style.NDJSON


def print_rows(rows: Iterable[Document], columns: Sequence[str], style: Style) -> None:
    """A list of documents; a table shows `columns`, JSON shows all."""
    if style is Style.TABLE:
        _print_table([[cell_text(row.get(column)) for column in columns] for row in rows], columns)
        return
    texts = [json.dumps(list(rows), indent=2)] if style is Style.JSON else [json.dumps(row) for row in rows]
    for text in texts:
        click.echo(text)


def print_document(document: Any, style: Style) -> None:
    """One document; a table has a line for each field."""
    if style is not Style.TABLE:
        click.echo(json.dumps(document, indent=2 if style is Style.JSON else None))
        return
    if not isinstance(document, Mapping):
        click.echo(visible(cell_text(document)))
        return
    _print_table([[key, cell_text(value)] for key, value in document.items()], ["field", "value"])


def say(text: str) -> None:
    """A line for the person at the terminal."""
    click.echo(f"sliceworks: {text}", err=True)


def cell_text(value: Any) -> str:
    """A value as a cell of a table."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def has_colors() -> bool:
    """Whether stdout is a terminal whose owner did not ask for plain text."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _print_table(rows: list[list[str]], columns: Sequence[str]) -> None:
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    paint = _paint if has_colors() else _plain
    lines = lines_of(columns, rows, width=width, paint=paint)
    while part := list(islice(lines, 1000)):
        click.echo("\n".join(part))


def _plain(_column: str, text: str) -> str:
    return text


def _paint(column: str, text: str) -> str:
    """The header is bold; states have colors."""
    if not column:
        return click.style(text, bold=True)
    color = _COLORS.get(text) if column in _COLORED else None
    return click.style(text, fg=color) if color else text
