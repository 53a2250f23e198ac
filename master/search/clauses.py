"""What a client can ask of a field, before anyone knows which fields there are."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from sliceworks.master.search.tree import Tree
from sliceworks.protocol.errors import InvalidError


class Wildcard(Enum):
    """What stands for characters that are not named."""

    ONE = "?"
    ANY = "*"


Pattern: TypeAlias = tuple[str | Wildcard, ...]
"""Texts and wildcards, in turn."""


@dataclass(frozen=True, slots=True)
class Value:
    """What is looked for; `column` is where it stands in the query, from 1."""

    pieces: Pattern
    column: int
    quoted: bool = False

    @property
    def text(self) -> str:
        """As it was meant; wildcards as they are written."""
        return "".join(piece.value if isinstance(piece, Wildcard) else piece for piece in self.pieces)

    @property
    def wild(self) -> bool:
        """Whether it has wildcards."""
        return any(isinstance(piece, Wildcard) for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class FieldName:
    """A name of a field, cut at its dots."""

    keys: tuple[str, ...]
    column: int

    def __str__(self) -> str:
        return ".".join(self.keys)


@dataclass(frozen=True, slots=True)
class Match:
    """A value of the field, or of some field if none is named."""

    field: FieldName | None
    value: Value


@dataclass(frozen=True, slots=True)
class End:
    """One end of a range."""

    value: Value
    included: bool


@dataclass(frozen=True, slots=True)
class Within:
    """Values of the field between two ends; None: open."""

    field: FieldName
    low: End | None
    high: End | None
    column: int


@dataclass(frozen=True, slots=True)
class Exists:
    """The field has a value."""

    field: FieldName


Clause: TypeAlias = Match | Within | Exists
Query: TypeAlias = Tree[Clause]


def fault(column: int, what: str) -> InvalidError:
    """Why a filter cannot be understood, and where."""
    return InvalidError(f"filter, column {column}: {what}")
