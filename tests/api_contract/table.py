"""Reads `table.md`: rows of calls, a column for each status, and what each answer is.

The file is for people; whatever in it is not of the expected form is an error, so that no cell is passed
over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

FILE = Path(__file__).with_name("table.md")
NO_CELL = "-"


@dataclass(frozen=True)
class Cell:
    """The name of an answer, and the status afterwards ("": what it was)."""

    answer: str
    after: str


@dataclass(frozen=True)
class Row:
    """One call, or one field of the execution document, with its cell for each column."""

    label: str
    cells: dict[str, Cell]

    @property
    def method(self) -> str:
        return self.label.partition(" ")[0]

    @property
    def paths(self) -> list[str]:
        """One path, or both forms."""
        path = self.label.partition(" ")[2]
        return (
            [path.replace("{x}", form) for form in ("/jobs/{job}", "/ex/{ex}")] if "{x}" in path else [path]
        )


@dataclass(frozen=True)
class Answer:
    """What a cell's name stands for; texts still have their `{…}` in them."""

    status: int
    kind: str  # what stands before the quoted text: "a list with", …
    text: str
    effect: str


@dataclass(frozen=True)
class Table:
    """All of it."""

    calls: list[Row] = field(default_factory=list)
    fields: list[Row] = field(default_factory=list)
    without_execution: list[Row] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many cells there are; a row in both forms has two a column."""
        rows = [*self.calls, *self.without_execution]
        return sum(len(row.cells) * len(row.paths) for row in rows) + sum(
            len(row.cells) for row in self.fields
        )


def read_table(file: Path = FILE) -> Table:
    """Parse the file; ValueError if a cell names an answer that is not explained."""
    table = Table()
    for title, head, rows in _grids(file.read_text()):
        match head[0]:
            case "call" if title.startswith("Where there is no execution"):
                table.without_execution.extend(_row(head, row) for row in rows)
            case "call":
                table.calls.extend(_row(head, row) for row in rows)
            case "field":
                table.fields.extend(_row(head, row) for row in rows)
            case "answer":
                table.answers.update({row[0]: _answer(row) for row in rows})
            case "status" | "row" | "value":
                pass
            case unknown:
                raise ValueError(unknown)
    used = {cell.answer for row in [*table.calls, *table.without_execution] for cell in row.cells.values()}
    if unexplained := used ^ set(table.answers):
        message = f"answers that are used or explained only: {sorted(unexplained)}"
        raise ValueError(message)
    return table


def _grids(text: str) -> list[tuple[str, list[str], list[list[str]]]]:
    """Every pipe table: the title above it, its head, its rows."""
    grids = []
    for section in re.split(r"^## ", text, flags=re.M)[1:]:
        lines = [_split(line) for line in section.splitlines() if line.startswith("|")]
        if lines:
            head, _dashes, *rows = lines
            if any(len(row) != len(head) for row in rows):
                raise ValueError(section.splitlines()[0])
            grids.append((section.splitlines()[0], head, rows))
    return grids


def _split(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _row(head: list[str], row: list[str]) -> Row:
    cells = {}
    for column, text in zip(head[1:], row[1:], strict=True):
        if text != NO_CELL:
            answer, _, after = text.partition(" -> ")
            cells[column] = Cell(answer.strip(), after.strip())
    return Row(row[0], cells)


def _answer(row: list[str]) -> Answer:
    _, status, body, effect = row
    match = re.fullmatch(r"([^`]*)(?:`(.*)`)?", body)
    if match is None:
        raise ValueError(body)
    return Answer(int(status), match[1].strip(), match[2] or "", effect)
