"""The soft time limit of a slice: operations are told, and may cope."""

from __future__ import annotations

import asyncio
import math
import time
from typing import Any

import pytest

from sliceworks.operations import BatchProcessor, MapProcessor, Record, Records
from sliceworks.operations.slice_time import SliceTime
from sliceworks.protocol.states import ResultKind

GIVEN = {"_op": "given"}
SAID = "SoftTimeoutError: the slice took longer than its slice_soft_timeout of 20ms"


class Awaits(BatchProcessor):
    """Waits for something that never happens."""

    async def on_batch(self, records: Records) -> Records:
        await asyncio.Event().wait()
        return records


class Copes(BatchProcessor):
    """Gives what it has when time is over."""

    async def on_batch(self, records: Records) -> Records:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return [{"partly": True}]
        return records


class Spins(BatchProcessor):
    """Never awaits, but asks."""

    def on_batch(self, records: Records) -> Records:
        while True:
            self.context.slice_time.check()
            time.sleep(0.001)


class Checks(MapProcessor):
    """Asks for each record."""

    def map(self, record: Record) -> Record:
        while True:
            self.context.slice_time.check()


class Stops(BatchProcessor):
    """Never awaits, and stops in time."""

    def on_batch(self, records: Records) -> Records:
        while self.context.slice_time.seconds_left > 0:
            time.sleep(0.001)
        return records


class OfItsOwn(BatchProcessor):
    """Has a timeout of its own."""

    async def on_batch(self, records: Records) -> Records:
        async with asyncio.timeout(0):
            await asyncio.Event().wait()
        return records


@pytest.mark.parametrize("operation", [Awaits, Spins])
async def test_an_operation_that_takes_too_long_fails_the_try(
    open_chain: Any, register: Any, task: Any, operation: type[BatchProcessor]
) -> None:
    register("slow", processor=operation)
    chain = await open_chain(GIVEN, {"_op": "slow"}, slice_soft_timeout=20)
    outcome = await chain.run(task([]))
    assert (outcome.kind, outcome.op) == (ResultKind.TIMED_OUT, "slow")
    assert outcome.error.startswith(f"slow: sliceworks.operations.errors.{SAID}")


async def test_the_end_of_the_time_is_not_about_one_record(open_chain: Any, register: Any, task: Any) -> None:
    register("slow", processor=Checks)
    entry = {"_op": "slow", "_dead_letter_action": "none"}
    chain = await open_chain(GIVEN, entry, slice_soft_timeout=20)
    assert (await chain.run(task([{}, {}]))).kind is ResultKind.TIMED_OUT


@pytest.mark.parametrize("operation", [Copes, Stops])
async def test_an_operation_that_copes_completes_the_slice(
    open_chain: Any, register: Any, task: Any, operation: type[BatchProcessor]
) -> None:
    register("slow", processor=operation)
    chain = await open_chain(GIVEN, {"_op": "slow"}, {"_op": "noop"}, slice_soft_timeout=20)
    outcome = await chain.run(task([]))
    assert outcome.kind is ResultKind.COMPLETED
    assert (await chain.run(task([]))).kind is ResultKind.COMPLETED, "each slice has its own time"


async def test_a_timeout_of_the_operation_is_an_error_of_the_operation(
    open_chain: Any, register: Any, task: Any
) -> None:
    register("slow", processor=OfItsOwn)
    chain = await open_chain(GIVEN, {"_op": "slow"}, slice_soft_timeout="1h")
    assert (await chain.run(task([]))).kind is ResultKind.ERROR


def test_without_a_limit_there_is_time_for_ever() -> None:
    slice_time = SliceTime()
    slice_time.check()
    assert slice_time.seconds_left == math.inf
