"""The slicer child, run in this process over a real pipe."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from sliceworks.master.execution.slicing import Slicing
from sliceworks.operations.validation import validate_job
from sliceworks.protocol.codec import Decoder
from sliceworks.protocol.documents import ExecutionSpec
from sliceworks.protocol.messages import (
    SlicerFailed,
    SlicerReady,
    SlicerToController,
    SlicesMade,
    SlicingFinished,
    StopSlicing,
    WantSlices,
)
from sliceworks.protocol.pipe import AsyncPipe

Inbox = asyncio.Queue[SlicerToController]


def execution(**reader: Any) -> ExecutionSpec:
    job = {
        "lifecycle": reader.pop("lifecycle", "once"),
        "slicers": reader.pop("slicers", 1),
        "operations": [{"_op": "data_generator", **reader}, {"_op": "noop"}],
    }
    return ExecutionSpec.model_validate({**validate_job(job), "ex_id": "e", "job_id": "j"})


@asynccontextmanager
async def slicing(
    spec: ExecutionSpec, recovery: list[dict[str, Any]] | None = None
) -> AsyncIterator[tuple[AsyncPipe[SlicerToController], Inbox]]:
    ours, theirs = socket.socketpair()
    inbox = Inbox()
    closed = asyncio.Event()
    pipe = await AsyncPipe.open(
        ours,
        Decoder[SlicerToController](SlicerToController),
        on_message=inbox.put_nowait,
        on_closed=lambda _reason: closed.set(),
    )
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(Slicing(spec, recovery or []).run(theirs), name="child")
        yield pipe, inbox
        pipe.send(StopSlicing())
        await closed.wait()


async def requests_until(inbox: Inbox, done: Callable[[list[Any]], bool]) -> list[Any]:
    made: list[Any] = []
    while not done(made):
        match await inbox.get():
            case SlicesMade(_, requests):
                made += [orjson.loads(request) for request in requests]
            case SlicingFinished():
                return made
            case SlicerFailed(error):
                pytest.fail(error)
            case SlicerReady():
                pass
    return made


async def test_it_makes_only_what_it_has_credit_for() -> None:
    async with slicing(execution(size=100, slice_size=1)) as (pipe, inbox):
        assert isinstance(await inbox.get(), SlicerReady)
        pipe.send(WantSlices(0, 7))
        assert len(await requests_until(inbox, lambda made: len(made) >= 7)) == 7
        await asyncio.sleep(0)
        assert inbox.empty()
        pipe.send(WantSlices(0, 200))
        assert len(await requests_until(inbox, lambda _: False)) == 93


async def test_it_goes_on_after_the_last_request() -> None:
    async with slicing(execution(size=10, slice_size=1)) as (pipe, inbox):
        await inbox.get()
        pipe.send(WantSlices(0, 100))
        everything = await requests_until(inbox, lambda _: False)
    recovery = [
        {"slicer_id": 0, "last_slice": orjson.dumps(everything[3]), "checkpoint": None, "finished": False}
    ]
    async with slicing(execution(size=10, slice_size=1), recovery) as (pipe, inbox):
        await inbox.get()
        pipe.send(WantSlices(0, 100))
        assert await requests_until(inbox, lambda _: False) == everything[4:]


async def test_a_finished_slicer_is_not_started_again() -> None:
    spec = execution(slicers=2, size=10, slice_size=1)
    async with slicing(spec) as (pipe, inbox):
        await inbox.get()
        pipe.send(WantSlices(0, 100))
        made = await inbox.get()
        assert isinstance(made, SlicesMade)
    entry = {"slicer_id": 0, "last_slice": made.requests[-1], "checkpoint": None, "finished": True}
    async with slicing(spec, [entry]) as (pipe, inbox):
        assert isinstance(await inbox.get(), SlicerReady)
        pipe.send(WantSlices(0, 100))
        pipe.send(WantSlices(1, 100))
        message = await inbox.get()
        assert isinstance(message, SlicesMade)
        assert message.slicer_id == 1


async def test_a_reader_that_cannot_start_says_why() -> None:
    spec = execution(size=10)
    broken = spec.model_copy(update={"operations": (spec.operations[1], spec.operations[1])})
    async with slicing(broken) as (_, inbox):
        message = await inbox.get()
        assert isinstance(message, SlicerFailed)
        assert "noop" in message.error
