"""Filters mean the same on every engine: what a few lines of Python say they mean."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import orjson
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sliceworks.master.search.clauses import Pattern, Wildcard
from sliceworks.master.search.conditions import (
    Between,
    Bound,
    Condition,
    Contains,
    Like,
    Present,
    Same,
    Test,
    resolve,
)
from sliceworks.master.search.dialects import POSTGRES, SQLITE
from sliceworks.master.search.fields import JOBS, Column, Kind, Path
from sliceworks.master.search.sql import render
from sliceworks.master.search.syntax import parse
from sliceworks.master.search.tree import Either, Every, Leaf, Not
from sliceworks.master.store.columns import POSTGRES_JOBS, SQLITE_JOBS
from sliceworks.master.store.engine import StateStore
from sliceworks.protocol.errors import InvalidError


@dataclass(frozen=True)
class Row:
    """A job, as its table has it."""

    name: str
    created_ms: int
    deleted_ms: int | None
    document: dict[str, Any]

    @property
    def columns(self) -> dict[str, object]:
        return {
            "name": self.name,
            "_created": self.created_ms,
            "_deleted_on": self.deleted_ms,
            "_deleted": self.deleted_ms is not None,
        }


ODD = {"nul": "\0", "no nul": "\\u0000"}  # what PostgreSQL does not take for JSON, beside what is looked for
Find = Callable[[list[Row], Condition], list[int]]

TABLE = """CREATE {temp} TABLE tried (
  number INTEGER, job_id TEXT, name TEXT{collation}, document TEXT,
  created_ms BIGINT, updated_ms BIGINT, deleted_ms BIGINT
)"""
INSERT = "INSERT INTO tried VALUES (%s, '', %s, %s, %s, 0, %s)"
SELECT = "SELECT number FROM tried j WHERE {filter} ORDER BY number"


# --- what filters mean --------------------------------------------------------------------------------------


def holds(condition: Condition, row: Row) -> bool:
    match condition:
        case Leaf(test):
            return any(passes(test, value) for value in values_of(test, row))
        case Every(parts):
            return all(holds(part, row) for part in parts)
        case Either(parts):
            return any(holds(part, row) for part in parts)
        case Not(part):
            return not holds(part, row)


def values_of(test: Test, row: Row) -> list[Any]:
    if isinstance(test.target, Column):
        value = row.columns[test.target.name]
        return [] if value is None else [value]
    found: list[Any] = [row.document]
    for key in test.target.keys:
        at_key = [value[key] for value in found if isinstance(value, dict) and key in value]
        found = [item for value in at_key for item in (value if isinstance(value, list) else [value])]
    return [value for value in found if value is not None]


def passes(test: Test, value: Any) -> bool:
    match test:
        case Present():
            return True
        case Same(_, text, number, flag):
            return any(wanted is not None and alike(wanted, value) for wanted in (text, number, flag))
        case Like(_, pattern):
            return isinstance(value, str) and expression(pattern).fullmatch(value) is not None
        case Contains(_, pattern):
            small = tuple(lower(part) if isinstance(part, str) else part for part in pattern)
            return isinstance(value, str) and expression(small).search(lower(value)) is not None
        case Between(_, low, high):
            return (low is None or above(value, low.value, low.included)) and (
                high is None or above(high.value, value, high.included)
            )


def kind_of(value: object) -> type:
    return float if isinstance(value, int) and not isinstance(value, bool) else type(value)


def alike(one: object, other: object) -> bool:
    return kind_of(one) is kind_of(other) and one == other


def above(one: Any, other: Any, included: bool) -> bool:
    return kind_of(one) is kind_of(other) and bool(one > other or (included and one == other))


def expression(pattern: Pattern) -> re.Pattern[str]:
    wild = {Wildcard.ANY: ".*", Wildcard.ONE: "."}
    parts = [wild[part] if isinstance(part, Wildcard) else re.escape(part) for part in pattern]
    return re.compile("".join(parts), re.DOTALL)


def lower(text: str) -> str:
    return "".join(character.lower() if character.isascii() else character for character in text)


# --- engines ------------------------------------------------------------------------------------------------


@pytest.fixture
def find(state: StateStore) -> Iterator[Find]:
    """The numbers of the rows that an engine finds."""
    if state.url == "sqlite":
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.execute(TABLE.format(temp="", collation=""))
            yield lambda rows, condition: sqlite_finds(connection, rows, condition)
        return
    with psycopg.connect(state.url, autocommit=True) as server:
        server.execute(TABLE.format(temp="TEMP", collation=' COLLATE "C"').encode())
        yield lambda rows, condition: postgres_finds(server, rows, condition)


def values(rows: list[Row]) -> list[tuple[Any, ...]]:
    return [
        (number, row.name, orjson.dumps({**row.document, **ODD}).decode(), row.created_ms, row.deleted_ms)
        for number, row in enumerate(rows)
    ]


def sqlite_finds(connection: sqlite3.Connection, rows: list[Row], condition: Condition) -> list[int]:
    connection.execute("DELETE FROM tried")
    connection.executemany(INSERT.replace("%s", "?"), values(rows))
    where = render(condition, SQLITE, SQLITE_JOBS)
    return [row[0] for row in connection.execute(SELECT.format(filter=where.sql), where.values)]


def postgres_finds(connection: psycopg.Connection, rows: list[Row], condition: Condition) -> list[int]:
    connection.execute("TRUNCATE tried")
    connection.cursor().executemany(INSERT, values(rows))
    where = render(condition, POSTGRES, POSTGRES_JOBS)
    found = connection.execute(SELECT.format(filter=where.sql).encode(), where.values)
    return [row[0] for row in found]


# --- what is tried ------------------------------------------------------------------------------------------

ODD_KEYS = ("x y", "é", "$.a", "a.b", "[0]", "%s", ":a", "'")
KEYS = st.sampled_from(["a", "b", "a", "b", *ODD_KEYS])
TEXTS = st.sampled_from(
    ["", "a", "A", "ab", "b", "[a]", "[", "a[b", "*", "a*", "?", "%", "_", "a%", "\n", "é", "É", "1"]
)
NUMBERS = st.integers(-5, 5) | st.sampled_from([0.5, -1.5, 1e20, 123_456_789_012, 5.0])
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS | st.just("\\")
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
ROWS = st.builds(
    Row,
    name=TEXTS,
    created_ms=st.integers(0, 5),
    deleted_ms=st.none() | st.integers(0, 5),
    document=st.fixed_dictionaries({"a": JSON}, optional=dict.fromkeys(("b", *ODD_KEYS), JSON)),
)
PATHS = st.builds(Path, st.just(""), st.just(("a",)) | st.lists(KEYS, min_size=1, max_size=3).map(tuple))
PATTERNS: st.SearchStrategy[Pattern] = st.lists(TEXTS | st.sampled_from(list(Wildcard)), max_size=4).map(
    tuple
)
NAME = Column("name", Kind.KEYWORD)
CREATED, DELETED_ON = Column("_created", Kind.MOMENT), Column("_deleted_on", Kind.MOMENT)
DELETED = Column("_deleted", Kind.FLAG)


def between(target: st.SearchStrategy[Any], bounds: st.SearchStrategy[Any]) -> st.SearchStrategy[Between]:
    bound = st.builds(Bound, bounds, st.booleans())
    return st.builds(Between, target, bound, bound | st.none()) | st.builds(Between, target, st.none(), bound)


TESTS: st.SearchStrategy[Test] = st.one_of(
    st.builds(Same, PATHS, text=TEXTS, number=st.none() | NUMBERS, flag=st.none() | st.booleans()),
    st.builds(Like, PATHS | st.just(NAME), PATTERNS),
    st.builds(Contains, PATHS | st.just(NAME), PATTERNS),
    between(PATHS, TEXTS),
    between(PATHS, NUMBERS),
    between(st.just(NAME), TEXTS),
    between(st.sampled_from([CREATED, DELETED_ON]), st.integers(0, 5)),
    st.builds(Present, PATHS | st.sampled_from([NAME, DELETED_ON, CREATED])),
    st.builds(Same, st.just(NAME), text=TEXTS),
    st.builds(Same, st.sampled_from([CREATED, DELETED_ON]), number=NUMBERS),
    st.builds(Same, st.just(DELETED), flag=st.booleans()),
)
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    st.builds(Leaf, TESTS),
    lambda inner: (
        st.builds(Every, st.lists(inner, max_size=3).map(tuple))
        | st.builds(Either, st.lists(inner, max_size=3).map(tuple))
        | st.builds(Not, inner)
    ),
    max_leaves=5,
)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        (("a", Wildcard.ANY), ["a", "a*b", "a?", "a\nb"]),
        (("a*b",), ["a*b"]),
        (("a", Wildcard.ONE), ["a?"]),
        (("[", Wildcard.ANY), ["[a]", "["]),
        (("[a]",), ["[a]"]),
        (("%", Wildcard.ANY), ["%"]),
        (("_",), ["_"]),
        (("\\", Wildcard.ANY), ["\\%"]),
        ((Wildcard.ANY, "\n", Wildcard.ANY), ["a\nb"]),
        (("é",), ["é"]),
        (("A",), ["A"]),
    ],
)
def test_patterns_take_nothing_else_for_a_wildcard(find: Find, pattern: Pattern, found: list[str]) -> None:
    names = ["a", "A", "a*b", "a?", "a\nb", "[a]", "[", "%", "_", "\\%", "é", "É", "xyz"]
    rows = [Row(name, 0, None, {"a": name}) for name in names]
    for target in (NAME, Path("", ("a",))):
        numbers = find(rows, Leaf(Like(target, pattern)))
        assert sorted(names[number] for number in numbers) == sorted(found)


def test_a_condition_finds_what_it_means(find: Find) -> None:
    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(ROWS, min_size=2, max_size=8), st.builds(Leaf, TESTS) | CONDITIONS)
    def compare(rows: list[Row], condition: Condition) -> None:
        meant = [number for number, row in enumerate(rows) if holds(condition, row)]
        assert find(rows, condition) == meant

    compare()


FIELDS = ["name:", "a.b:", "_created:", "active:", r"x\.y.'%:", "$.é[:", "_exists_:"]
SIGNS = ["(", ")", "[", "]", "{", "}", " TO ", " AND ", " OR ", " NOT ", " ", "+", "-", '"', "*", "?", "\\*"]
VALUES = ["2026", "now-1h", "1", "1e9", "true", "%s", ":1", "';--"]
WORDS = st.sampled_from([*FIELDS, *SIGNS, *VALUES])


def test_what_is_understood_is_sql(find: Find) -> None:
    rows = [Row("a", 0, None, {"a": {"b": 1}})]

    @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(WORDS, max_size=8).map("".join))
    def ask(text: str) -> None:
        with contextlib.suppress(InvalidError):
            condition = resolve(parse(text), JOBS, now_ms=0)
            assert find(rows, condition) in ([], [0])

    ask()
