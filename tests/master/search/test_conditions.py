"""What a filter means for the fields of a list, and what means nothing there."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sliceworks.master.search.clauses import Wildcard
from sliceworks.master.search.conditions import (
    MAX_CONDITIONS,
    Between,
    Bound,
    Condition,
    Contains,
    Like,
    Present,
    Same,
    resolve,
)
from sliceworks.master.search.fields import EXECUTIONS, JOBS, SLICES, Column, FieldSet, Kind, Path
from sliceworks.master.search.moments import period_of
from sliceworks.master.search.syntax import parse
from sliceworks.master.search.tree import Either, Leaf, leaves
from sliceworks.protocol.errors import InvalidError

NOW_MS = 10_000_000_000
WORKERS = Column("workers", Kind.NUMBER)
CREATED = Column("_created", Kind.MOMENT)


def meant(text: str, fields: FieldSet = EXECUTIONS) -> Condition:
    return resolve(parse(text), fields, now_ms=NOW_MS)


def ms(*parts: int) -> int:
    year, month, day, hour, minute, second = (*parts, 0, 0, 0)[:6]
    return int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "test"),
    [
        ("_status:failed", Same(Column("_status", Kind.KEYWORD), text="failed")),
        ("name:a*", Like(Column("name", Kind.KEYWORD), ("a", Wildcard.ANY))),
        ("name:*", Present(Column("name", Kind.KEYWORD))),
        ("_failureReason:out", Contains(Column("_failureReason", Kind.TEXT), ("out",))),
        ("workers:3", Same(WORKERS, number=3)),
        ("workers:{2 TO 4.5]", Between(WORKERS, Bound(2, included=False), Bound(4.5, included=True))),
        ("workers:[* TO *]", Present(WORKERS)),
        ("_has_errors:true", Same(Column("_has_errors", Kind.FLAG), flag=True)),
        ("lifecycle:once", Same(Path("", ("lifecycle",)), text="once")),
        ("slicers:1", Same(Path("", ("slicers",)), text="1", number=1)),
        ('slicers:"1"', Same(Path("", ("slicers",)), text="1", number=1)),
        ("analytics:false", Same(Path("", ("analytics",)), text="false", flag=False)),
        ("labels.tier:>=2", Between(Path("", ("labels", "tier")), Bound(2, included=True), None)),
        ('labels.tier:["1" TO 2]', Between(Path("", ("labels", "tier")), Bound("1", True), Bound("2", True))),
        ("labels.tier:<b", Between(Path("", ("labels", "tier")), None, Bound("b", included=False))),
        ("_slicer_stats.failed:>0", Between(Path("_slicer_stats", ("failed",)), Bound(0, False), None)),
        ("_exists_:_deleted_on", Present(Column("_deleted_on", Kind.MOMENT))),
        (
            "_created:2026-11-22",
            Between(CREATED, Bound(ms(2026, 11, 22), True), Bound(ms(2026, 11, 23), False)),
        ),
        ("_created:>2026-11-22", Between(CREATED, Bound(ms(2026, 11, 23), True), None)),
        ("_created:<=2026-11-22", Between(CREATED, None, Bound(ms(2026, 11, 23), False))),
        ("_created:{* TO 2026-11-22}", Between(CREATED, None, Bound(ms(2026, 11, 22), False))),
        ("_created:>=now-1h", Between(CREATED, Bound(NOW_MS - 3_600_000, True), None)),
    ],
)
def test_fields_are_compared_as_their_kind_says(text: str, test: object) -> None:
    assert meant(text) == Leaf(test)


def test_a_value_without_a_field_may_be_in_any_of_a_few() -> None:
    condition = meant("noop", JOBS)
    assert condition == Either(
        (
            Leaf(Same(Column("job_id", Kind.KEYWORD), text="noop")),
            Leaf(Same(Column("name", Kind.KEYWORD), text="noop")),
            Leaf(Same(Path("", ("operations", "_op")), text="noop")),
        )
    )
    assert {type(test) for test in leaves(meant("time*", SLICES))} == {Same, Like, Contains}


@pytest.mark.parametrize(
    ("text", "fields", "column", "what"),
    [
        ("workers:x", EXECUTIONS, 9, "workers is a number, got x"),
        ("workers:[1 TO x]", EXECUTIONS, 15, "workers is a number, got x"),
        ("workers:1*", EXECUTIONS, 9, "no wildcards"),
        ("_has_errors:yes", EXECUTIONS, 13, "_has_errors is true or false, got yes"),
        ("_has_errors:>true", EXECUTIONS, 13, "no ranges"),
        ("_failureReason:[a TO b]", EXECUTIONS, 16, "no ranges"),
        ("a OR _created:soon", EXECUTIONS, 15, "_created is a time such as"),
        ("_created:2026-02-30", EXECUTIONS, 10, "_created is a time such as"),
        ("_created:2026*", EXECUTIONS, 10, "no wildcards"),
        ("nope:1", SLICES, 1, "slices have no field nope, only _created,"),
        ("slice_id:a*", SLICES, 10, "no wildcards"),
        ("slice_id:[a TO b]", SLICES, 10, "no ranges"),
    ],
)
def test_faults_say_where(text: str, fields: FieldSet, column: int, what: str) -> None:
    with pytest.raises(InvalidError) as raised:
        meant(text, fields)
    assert str(raised.value).startswith(f"filter, column {column}: ")
    assert what in str(raised.value)


def test_the_number_of_comparisons_is_limited() -> None:
    assert len(list(leaves(meant(" ".join(["x:a"] * 90))))) == 90
    with pytest.raises(InvalidError, match=f"at most {MAX_CONDITIONS} comparisons"):
        meant(" ".join(["a"] * 100))


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026", ms(2026, 1, 1), ms(2027, 1, 1)),
        ("2026-12", ms(2026, 12, 1), ms(2027, 1, 1)),
        ("2026-02", ms(2026, 2, 1), ms(2026, 3, 1)),
        ("2026-11-22T10", ms(2026, 11, 22, 10), ms(2026, 11, 22, 11)),
        ("2026-11-22T10:30Z", ms(2026, 11, 22, 10, 30), ms(2026, 11, 22, 10, 31)),
        ("2026-11-22 10:30:05", ms(2026, 11, 22, 10, 30, 5), ms(2026, 11, 22, 10, 30, 6)),
        ("2026-11-22T10:30:05.123Z", ms(2026, 11, 22, 10, 30, 5) + 123, ms(2026, 11, 22, 10, 30, 5) + 124),
        ("2026-11-22T10:30:05+01:00", ms(2026, 11, 22, 9, 30, 5), ms(2026, 11, 22, 9, 30, 6)),
        ("1795251600000", 1_795_251_600_000, 1_795_251_600_001),
        ("now", NOW_MS, NOW_MS + 1),
        ("now-1d+2h", NOW_MS - 79_200_000, NOW_MS - 79_199_999),
    ],
)
def test_a_moment_is_all_the_time_that_it_names(text: str, start: int, end: int) -> None:
    period = period_of(text, NOW_MS)
    assert period is not None
    assert (period.start_ms, period.end_ms) == (start, end)


@pytest.mark.parametrize(
    "text", ["", "0000", "9999", "2026-13", "2026-1", "26", "now-1y", "2026-11-22T25", "10:30"]
)
def test_what_is_no_moment(text: str) -> None:
    assert period_of(text, NOW_MS) is None
