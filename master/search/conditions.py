"""A filter that was checked against the fields of a list: which value of what has to hold which test.

A test of a field without a value never holds, so that its negation always does.  Of a path that leads to
several values, through arrays, one has to hold it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

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
    fault,
)
from sliceworks.master.search.fields import Column, FieldSet, Kind, Path, Target
from sliceworks.master.search.moments import Period, period_of
from sliceworks.master.search.tree import Either, Leaf, Tree, grafted, leaves

MAX_CONDITIONS: Final = 500

Number: TypeAlias = int | float

_NUMBER: Final = re.compile(r"[+-]?\d{1,18}(\.\d{1,18})?([eE][+-]?\d{1,2})?", re.ASCII)
_FLAGS: Final = {"true": True, "false": False}
_KINDS: Final = {Kind.NUMBER: "a number", Kind.FLAG: "true or false", Kind.ID: "a whole id"}


@dataclass(frozen=True, slots=True)
class Same:
    """Equal to one of these, each compared with values of its type alone."""

    target: Target
    text: str | None = None
    number: Number | None = None
    flag: bool | None = None


@dataclass(frozen=True, slots=True)
class Like:
    """Text that matches a pattern as a whole."""

    target: Target
    pattern: Pattern


@dataclass(frozen=True, slots=True)
class Contains:
    """Text in which a pattern occurs; upper and lower case of ASCII letters are the same."""

    target: Target
    pattern: Pattern


@dataclass(frozen=True, slots=True)
class Bound:
    """One end of a range."""

    value: str | Number
    included: bool


@dataclass(frozen=True, slots=True)
class Between:
    """Between two ends of one type, at least one of them given; text is ordered by its code points."""

    target: Target
    low: Bound | None
    high: Bound | None


@dataclass(frozen=True, slots=True)
class Present:
    """There is a value, other than null and empty arrays."""

    target: Target


Test: TypeAlias = Same | Like | Contains | Between | Present
Condition: TypeAlias = Tree[Test]


def resolve(query: Query, fields: FieldSet, *, now_ms: int) -> Condition:
    """What a filter means for a list; InvalidError that names the place of what means nothing there."""
    condition = grafted(query, lambda clause: _resolved(clause, fields, now_ms))
    count = sum(1 for _ in leaves(condition))
    if count > MAX_CONDITIONS:
        raise fault(1, f"at most {MAX_CONDITIONS} comparisons, got {count}; name the field of each value")
    return condition


def number_of(text: str) -> Number | None:
    """The number that a text is, if it is one."""
    if not _NUMBER.fullmatch(text):
        return None
    return int(text) if text.lstrip("+-").isdigit() else float(text)


def _resolved(clause: Clause, fields: FieldSet, now_ms: int) -> Condition:
    match clause:
        case Exists(field):
            return Leaf(Present(fields.find(field)))
        case Match(FieldName() as field, value):
            return Leaf(_match(fields.find(field), value, now_ms))
        case Match(_, value):
            return Either(tuple(Leaf(_anywhere(target, value)) for target in fields.defaults))
        case Within():
            return Leaf(_within(fields.find(clause.field), clause, now_ms))


def _anywhere(target: Target, value: Value) -> Test:
    """A value without a field: an id, of which wildcards say nothing, can only be the same."""
    if isinstance(target, Column) and target.kind is Kind.ID:
        return Same(target, text=value.text)
    return _match(target, value, 0)


def _match(target: Target, value: Value, now_ms: int) -> Test:
    if value.pieces == (Wildcard.ANY,):
        return Present(target)
    kind = target.kind if isinstance(target, Column) else Kind.KEYWORD
    if kind is Kind.TEXT:
        return Contains(target, value.pieces)
    if kind is Kind.KEYWORD:
        return Like(target, value.pieces) if value.wild else _same(target, value.text)
    if value.wild:
        raise fault(value.column, f"{_name(target)} has no wildcards: compare it with a value or a range")
    if kind is Kind.MOMENT:
        period = _period(target, value, now_ms)
        return Between(target, Bound(period.start_ms, included=True), Bound(period.end_ms, included=False))
    return _typed(target, kind, value)


def _same(target: Target, text: str) -> Same:
    if isinstance(target, Column):
        return Same(target, text=text)
    return Same(target, text=text, number=number_of(text), flag=_FLAGS.get(text))


def _typed(target: Target, kind: Kind, value: Value) -> Test:
    number, flag = number_of(value.text), _FLAGS.get(value.text)
    if kind is Kind.NUMBER and number is not None:
        return Same(target, number=number)
    if kind is Kind.FLAG and flag is not None:
        return Same(target, flag=flag)
    if kind is Kind.ID:
        return Same(target, text=value.text)
    raise fault(value.column, f"{_name(target)} is {_KINDS[kind]}, got {value.text}")


def _within(target: Target, clause: Within, now_ms: int) -> Test:
    ends = [end for end in (clause.low, clause.high) if end is not None]
    if not ends:
        return Present(target)
    kind = target.kind if isinstance(target, Column) else Kind.KEYWORD
    match kind:
        case Kind.TEXT | Kind.FLAG | Kind.ID:
            raise fault(clause.column, f"{_name(target)} has no order, and so no ranges")
        case Kind.MOMENT:
            return _moments(target, clause, now_ms)
        case Kind.NUMBER:
            return _numbers(target, clause)
        case Kind.KEYWORD:
            numeric = isinstance(target, Path) and all(_is_number(end) for end in ends)
            return _numbers(target, clause) if numeric else _texts(target, clause)


def _moments(target: Target, clause: Within, now_ms: int) -> Between:
    """An included end means all of the time that it names, an end that is not means none of it."""
    low = high = None
    if clause.low is not None:
        period = _period(target, clause.low.value, now_ms)
        low = Bound(period.start_ms if clause.low.included else period.end_ms, included=True)
    if clause.high is not None:
        period = _period(target, clause.high.value, now_ms)
        high = Bound(period.end_ms if clause.high.included else period.start_ms, included=False)
    return Between(target, low, high)


def _numbers(target: Target, clause: Within) -> Between:
    bounds: list[Bound | None] = []
    for end in (clause.low, clause.high):
        number = number_of(end.value.text) if end else None
        if end and number is None:
            raise fault(end.value.column, f"{_name(target)} is a number, got {end.value.text}")
        bounds.append(Bound(number, end.included) if end and number is not None else None)
    return Between(target, bounds[0], bounds[1])


def _texts(target: Target, clause: Within) -> Between:
    low, high = (Bound(end.value.text, end.included) if end else None for end in (clause.low, clause.high))
    return Between(target, low, high)


def _is_number(end: End) -> bool:
    return not end.value.quoted and number_of(end.value.text) is not None


def _period(target: Target, value: Value, now_ms: int) -> Period:
    period = period_of(value.text, now_ms)
    if period is None:
        example = "2026-11-22, 2026-11-22T13:05:00Z or now-1h"
        raise fault(value.column, f"{_name(target)} is a time such as {example}, got {value.text}")
    return period


def _name(target: Target) -> str:
    if isinstance(target, Column):
        return target.name
    return ".".join((target.root, *target.keys) if target.root else target.keys)
