"""Conditions as SQL: every value is bound, and every name comes from tables of ours.

A rendered condition is true where it holds, and otherwise false or NULL: for a WHERE that is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, assert_never

from sliceworks.master.search.clauses import Pattern, Wildcard
from sliceworks.master.search.conditions import Between, Condition, Contains, Like, Present, Same, Test
from sliceworks.master.search.fields import Path
from sliceworks.master.search.tree import Either, Every, Leaf, Not

TRUE: Final = "TRUE"
FALSE: Final = "FALSE"


@dataclass(frozen=True, slots=True)
class Columns:
    """Where a list keeps its fields, in the words of one engine."""

    named: Mapping[str, str]  # by the names of fields: an expression of SQL
    roots: Mapping[str, str]  # an expression that gives JSON text
    required: frozenset[str] = frozenset()  # fields that always have a value: an index may give their order


@dataclass(frozen=True, slots=True)
class Where:
    """A condition of SQL and the values that are bound in it."""

    sql: str = TRUE
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operand:
    """What a test looks at: each expression is NULL for values of another type."""

    text: str
    number: str
    flag: str
    found: str  # whether there is any value


class Dialect(Protocol):
    """How one engine says it."""

    def parameter(self, name: str) -> str:
        """Where the value of that name is bound."""
        ...

    def like(self, text: str, pattern: str) -> str:
        """Whether a text matches a pattern as a whole."""
        ...

    def pattern(self, pattern: Pattern) -> str:
        """A pattern as `like` takes it."""
        ...

    def lower(self, text: str) -> str:
        """With small ASCII letters."""
        ...

    def path(self, keys: tuple[str, ...]) -> list[str]:
        """The texts to bind for a path."""
        ...

    def elements(self, root: str, paths: list[str]) -> str:
        """What stands after FROM to see each value at a path, as `at` describes it."""
        ...

    @property
    def at(self) -> Operand:
        """The value that `elements` has found."""
        ...


def render(condition: Condition | None, dialect: Dialect, columns: Columns) -> Where:
    """The condition for a WHERE; None holds always."""
    if condition is None:
        return Where()
    writer = _Writer(dialect, columns)
    sql = writer.write(condition)
    return Where(sql, writer.values)


class _Writer:
    def __init__(self, dialect: Dialect, columns: Columns) -> None:
        self._dialect = dialect
        self._columns = columns
        self.values: dict[str, object] = {}

    def write(self, condition: Condition) -> str:
        """One condition, in parentheses where it needs them."""
        match condition:
            case Leaf(test):
                return self._leaf(test)
            case Every(parts):
                return f"({' AND '.join(map(self.write, parts))})" if parts else TRUE
            case Either(parts):
                return f"({' OR '.join(map(self.write, parts))})" if parts else FALSE
            case Not(part):
                return f"({self.write(part)} IS NOT TRUE)"
            case _:
                assert_never(condition)

    def _leaf(self, test: Test) -> str:
        target = test.target
        if isinstance(target, Path):
            paths = [self._bind(path) for path in self._dialect.path(target.keys)]
            elements = self._dialect.elements(self._columns.roots[target.root], paths)
            where = self._holds(test, self._dialect.at)
            return f"EXISTS (SELECT 1 FROM {elements} WHERE {where})"  # noqa: S608 - no part is a client's
        sql = self._columns.named[target.name]
        return f"({self._holds(test, Operand(sql, sql, sql, f'{sql} IS NOT NULL'))})"

    def _holds(self, test: Test, at: Operand) -> str:
        match test:
            case Same():
                return self._same(test, at)
            case Like():
                return self._dialect.like(at.text, self._bind(self._dialect.pattern(test.pattern)))
            case Contains():
                bound = self._bind(self._dialect.pattern(_anywhere(test.pattern)))
                return self._dialect.like(self._dialect.lower(at.text), bound)
            case Between():
                return self._between(test, at)
            case Present():
                return at.found
            case _:
                assert_never(test)

    def _same(self, test: Same, at: Operand) -> str:
        parts = []
        if test.text is not None:
            parts.append(f"{at.text} = {self._bind(test.text)}")
        if test.number is not None:
            parts.append(f"{at.number} = {self._bind(test.number)}")
        if test.flag is not None:
            parts.append(at.flag if test.flag else f"NOT {at.flag}")
        return " OR ".join(parts)

    def _between(self, test: Between, at: Operand) -> str:
        parts = []
        for bound, strict in ((test.low, ">"), (test.high, "<")):
            if bound is not None:
                operator = f"{strict}=" if bound.included else strict
                operand = at.text if isinstance(bound.value, str) else at.number
                parts.append(f"{operand} {operator} {self._bind(bound.value)}")
        return " AND ".join(parts)

    def _bind(self, value: object) -> str:
        name = f"filter_{len(self.values)}"
        self.values[name] = value
        return self._dialect.parameter(name)


def _anywhere(pattern: Pattern) -> Pattern:
    small = tuple(_lower(piece) if isinstance(piece, str) else piece for piece in pattern)
    return (Wildcard.ANY, *small, Wildcard.ANY)


def _lower(text: str) -> str:
    return "".join(character.lower() if character.isascii() else character for character in text)
