"""What commands print: a table on a terminal, one JSON document a line on a pipe, or as `-o` says."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeVar

import click

UNLIMITED = 10_000  # columns of a table that goes into a file

Command = TypeVar("Command", bound=Callable[..., Any])
Document = Mapping[str, Any]


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


def print_rows(rows: Sequence[Document], columns: Sequence[str], style: Style) -> None:
    """A list of documents; a table shows `columns`, JSON shows all."""
    if style is Style.TABLE:
        _print_table([[_cell(row.get(column)) for column in columns] for row in rows], columns)
        return
    texts = [json.dumps(rows, indent=2)] if style is Style.JSON else [json.dumps(row) for row in rows]
    for text in texts:
        click.echo(text)


def print_document(document: Any, style: Style) -> None:
    """One document; a table has a line for each field."""
    if style is not Style.TABLE:
        click.echo(json.dumps(document, indent=2 if style is Style.JSON else None))
        return
    if not isinstance(document, Mapping):
        click.echo(_cell(document))
        return
    _print_table([[key, _cell(value)] for key, value in document.items()], ["field", "value"])


def say(text: str) -> None:
    """A line for the person at the terminal."""
    click.echo(f"sliceworks: {text}", err=True)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _print_table(rows: list[list[str]], columns: Sequence[str]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Column, Table

    table = Table(*(Column(name, overflow="fold") for name in columns), box=box.SIMPLE_HEAD, show_edge=False)
    for row in rows:
        table.add_row(*row)
    width = None if sys.stdout.isatty() else UNLIMITED
    Console(markup=False, highlight=False, width=width).print(table)
