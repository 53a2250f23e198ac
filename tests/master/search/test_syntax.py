"""Lucene text to trees, and every fault with its place."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sliceworks.master.search.clauses import (
    Clause,
    End,
    Exists,
    FieldName,
    Match,
    Pattern,
    Query,
    Value,
    Wildcard,
    Within,
)
from sliceworks.master.search.conditions import resolve
from sliceworks.master.search.fields import JOBS
from sliceworks.master.search.syntax import MAX_DEPTH, MAX_LENGTH, MAX_WORDS, parse
from sliceworks.master.search.tree import Either, Every, Leaf, Not
from sliceworks.protocol.errors import InvalidError

ANY, ONE = Wildcard.ANY, Wildcard.ONE


def shown(query: Query) -> object:
    """A tree without its columns, short enough to be written by hand."""
    match query:
        case Leaf(clause):
            return shown_clause(clause)
        case Every(parts):
            return ["and", *map(shown, parts)]
        case Either(parts):
            return ["or", *map(shown, parts)]
        case Not(part):
            return ["not", shown(part)]


def shown_clause(clause: Clause) -> object:
    match clause:
        case Exists(field):
            return f"{field} exists"
        case Match(field, value):
            return (str(field) if field else "", *value.pieces)
        case Within(field, low, high):
            return (str(field), *shown_end(low, "[{"), *shown_end(high, "]}"))


def shown_end(end: End | None, brackets: str) -> tuple[str, ...]:
    return ("*",) if end is None else (end.value.text, brackets[0 if end.included else 1])


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("name:rec-job", ("name", "rec-job")),
        ("noop", ("", "noop")),
        ('name:"my job*"', ("name", "my job*")),
        (r"name:a\:b\*c*d?", ("name", "a:b*c", ANY, "d", ONE)),
        (r'name:"a\"b\\c"', ("name", 'a"b\\c')),
        ("name:*", ("name", ANY)),
        ("*", ["and"]),
        ("*:*", ["and"]),
        ("_exists_:labels.team", "labels.team exists"),
        ("operations._op:noop", ("operations._op", "noop")),
        ("workers:[1 TO 5}", ("workers", "1", "[", "5", "}")),
        ("workers:{1 TO *]", ("workers", "1", "{", "*")),
        ("workers:>=3", ("workers", "3", "[", "*")),
        ("workers:<3", ("workers", "*", "3", "}")),
        ("x:[-5 TO -1]", ("x", "-5", "[", "-1", "]")),
        ("x:-5", ("x", "-5")),
        ("_created:2026-11-21T10:11:12.345Z", ("_created", "2026-11-21T10:11:12.345Z")),
        ("a b", ["or", ("", "a"), ("", "b")]),
        ("a AND b OR c", ["or", ["and", ("", "a"), ("", "b")], ("", "c")]),
        ("a AND (b OR c)", ["and", ("", "a"), ["or", ("", "b"), ("", "c")]]),
        ("NOT a", ["not", ("", "a")]),
        ("-a", ["not", ("", "a")]),
        ("a AND NOT b", ["and", ("", "a"), ["not", ("", "b")]]),
        ("a OR NOT b", ["or", ("", "a"), ["not", ("", "b")]]),
        ("a -b", ["and", ["not", ("", "b")], ["or", ("", "a")]]),
        ("a NOT b", ["and", ["not", ("", "b")], ["or", ("", "a")]]),
        ("+a -b c", ["and", ("", "a"), ["not", ("", "b")]]),
        ("x:(a OR b)", ["or", ("x", "a"), ("x", "b")]),
        ("x:(>1 AND <=5)", ["and", ("x", "1", "{", "*"), ("x", "*", "5", "]")]),
        ("x:(a -b)", ["and", ["not", ("x", "b")], ["or", ("x", "a")]]),
        ("a^2", ("", "a")),
        ("not and or", ["or", ("", "not"), ("", "and"), ("", "or")]),
    ],
)
def test_what_is_understood(text: str, tree: object) -> None:
    assert shown(parse(text)) == tree


def test_dots_cut_names_unless_they_are_escaped() -> None:
    assert parse(r"labels.app\.io/name:x") == Leaf(
        Match(FieldName(("labels", "app.io/name"), 1), Value(("x",), 21))
    )


@pytest.mark.parametrize(
    ("text", "column", "what"),
    [
        ("name:(", 7, "ends too early"),
        ("", 1, "ends too early"),
        ("a AND", 6, "ends too early"),
        ("a AND OR b", 7, "unexpected 'OR'"),
        ("a)", 2, "unexpected ')'"),
        ('name:"abc', 6, "is not closed"),
        ("name:x AND a:/re/", 14, "regular expressions"),
        ("a OR nmae~2", 6, "fuzzy"),
        ('"a b"~3', 1, "proximity"),
        ("x~1.1.1", 1, "a number"),
        ("a && b", 3, "write AND"),
        ("a || b", 3, "write OR"),
        ("a OR !b", 6, "write NOT"),
        ("!a:b", 1, "write NOT"),
        ("a:b:c", 3, "second colon"),
        ("a:(b:c)", 4, "a field inside of a"),
        ("a..b:c", 1, "no name of a field"),
        (".a:c", 1, "no name of a field"),
        ('a"b:c', 1, "no name of a field"),
        ("l*.x:c", 1, "no wildcards"),
        ("[1 TO 2]", 1, "needs a field"),
        (">5", 1, "needs a field"),
        ("x:[a* TO b]", 4, "an end of a range"),
        ("_exists_:(a b)", 10, "one field"),
        ("a:\0", 3, "NUL"),
        ("\\", 1, "unexpected"),
    ],
)
def test_faults_say_where(text: str, column: int, what: str) -> None:
    with pytest.raises(InvalidError) as raised:
        parse(text)
    assert str(raised.value).startswith(f"filter, column {column}: ")
    assert what in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "a" * (MAX_LENGTH + 1),
        "a " * (MAX_WORDS + 1),
        "-" * (MAX_WORDS + 1) + "a",
        "(" * (MAX_DEPTH + 1) + "a" + ")" * (MAX_DEPTH + 1),
        "NOT " * (MAX_DEPTH + 1) + "a",
        "\ud800",
    ],
)
def test_size_and_depth_are_limited(text: str) -> None:
    with pytest.raises(InvalidError, match=r"at most|nested more|UTF-8"):
        parse(text)


def test_a_list_of_a_hundred_ids_is_not_too_long() -> None:
    ids = " OR ".join(["0b5309f9-35d7-444a-be97-55e4de4aef41"] * 100)
    query = parse(f"ex_id:({ids})")
    assert isinstance(query, Either)
    assert len(query.parts) == 100


@given(
    st.text(alphabet=st.sampled_from(r'ab:()[]{}"*?\+-!<>=^~/&|. TO AND OR NOT 1.5' + "\n\0é"), max_size=40)
)
def test_any_text_is_understood_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidError):
        resolve(parse(text), JOBS, now_ms=0)


def test_patterns_keep_what_is_escaped() -> None:
    query = parse(r"a:\?*\\")
    assert isinstance(query, Leaf)
    assert isinstance(query.test, Match)
    expected: Pattern = ("?", ANY, "\\")
    assert query.test.value.pieces == expected
