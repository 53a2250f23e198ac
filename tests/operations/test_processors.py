"""Processors of single records, and what becomes of records that they cannot deal with."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from sliceworks.operations import (
    EachProcessor,
    FatalSliceError,
    FilterProcessor,
    MapProcessor,
    Record,
    Records,
)
from sliceworks.operations.processors import RecordProcessor


class Invert(MapProcessor):
    def map(self, record: Record) -> Record:
        return {"n": 1 / record["n"]}


class InvertSlowly(MapProcessor):
    async def map(self, record: Record) -> Record:
        return {"n": 1 / record["n"]}


class Odd(FilterProcessor):
    def filter(self, record: Record) -> bool:
        return bool(record["n"] % 2)


class Mark(EachProcessor):
    def for_each(self, record: Record) -> None:
        record["marked"] = True


class MarkSlowly(EachProcessor):
    async def for_each(self, record: Record) -> None:
        record["marked"] = True


@pytest.fixture
def run(operation: Any, register: Any) -> Any:
    async def run_one(kind: type[RecordProcessor], records: Any, **options: Any) -> Records:
        register("tested", processor=kind)
        made: RecordProcessor = operation("tested", **options)
        answer = made.on_batch(records)
        return await answer if not isinstance(answer, list) else answer

    return run_one


async def test_map_filter_and_each(run: Any) -> None:
    assert await run(Invert, [{"n": 2}, {"n": 4}]) == [{"n": 0.5}, {"n": 0.25}]
    assert await run(InvertSlowly, [{"n": 2}]) == [{"n": 0.5}]
    assert await run(Odd, [{"n": n} for n in range(5)]) == [{"n": 1}, {"n": 3}]
    assert await run(Mark, [{"n": 1}]) == [{"n": 1, "marked": True}]
    assert await run(MarkSlowly, [{"n": 1}]) == [{"n": 1, "marked": True}]


@pytest.mark.parametrize("kind", [Invert, InvertSlowly])
async def test_throw_fails_the_batch(run: Any, kind: type[RecordProcessor]) -> None:
    with pytest.raises(ZeroDivisionError):
        await run(kind, [{"n": 1}, {"n": 0}])


@pytest.mark.parametrize("kind", [Invert, InvertSlowly])
async def test_log_logs_and_drops(run: Any, kind: type[RecordProcessor]) -> None:
    with capture_logs() as logs:
        assert await run(kind, [{"n": 1}, {"n": 0}, {"n": 2}], _dead_letter_action="log") == [
            {"n": 1.0},
            {"n": 0.5},
        ]
    (entry,) = logs
    assert entry["event"] == "record_rejected"
    assert entry["record"] == "{'n': 0}"
    assert "ZeroDivisionError" in entry["error"]
    assert entry["op"] == "tested"


async def test_none_drops_silently(run: Any) -> None:
    with capture_logs() as logs:
        assert await run(Odd, [{}, {"n": 1}], _dead_letter_action="none") == [{"n": 1}]
        assert await run(MarkSlowly, [None], _dead_letter_action="none") == []
    assert logs == []


async def test_a_fatal_error_is_never_dropped(run: Any) -> None:
    class Fatal(EachProcessor):
        def for_each(self, record: Record) -> None:
            raise FatalSliceError

    with pytest.raises(FatalSliceError):
        await run(Fatal, [{}], _dead_letter_action="none")


async def test_a_map_that_forgets_to_return_is_told_so(run: Any) -> None:
    class Forgetful(MapProcessor):
        def map(self, record: Record) -> Any:
            record["n"] = 1

    with pytest.raises(TypeError, match="map returned NoneType"):
        await run(Forgetful, [{}])
