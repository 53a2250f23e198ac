"""The loop of a worker process, with a chain that does as it is told: what is answered, and when."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import cast

import pytest

from sliceworks.operations.chain import Chain, SliceOutcome, SliceTask
from sliceworks.protocol.codec import Decoder
from sliceworks.protocol.ids import ExId, Seq, slice_id_of
from sliceworks.protocol.messages import (
    DaemonToHost,
    HostFinish,
    HostResults,
    HostToDaemon,
    OperationTotals,
    RunSlices,
)
from sliceworks.protocol.pipe import AsyncPipe, PipeClosed, SyncPipe
from sliceworks.protocol.states import ResultKind
from sliceworks.worker.host import Host
from sliceworks.worker.marker import Marker, make_page

COMPLETED, ERROR, RETURNED = ResultKind.COMPLETED, ResultKind.ERROR, ResultKind.RETURNED


@dataclass
class ObedientChain:
    """Does what a request says: {"error": text}, {"wait": true} (until `go`), or nothing."""

    tasks: list[SliceTask] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, task: SliceTask) -> SliceOutcome:
        self.tasks.append(task)
        self.begun.set()
        order = json.loads(task.request)
        if "wait" in order:
            await self.go.wait()
        return SliceOutcome(ERROR, order["error"], "x" * 500) if "error" in order else SliceOutcome(COMPLETED)

    def take_totals(self) -> list[OperationTotals]:
        return []


@dataclass
class Daemon:
    """The other side of a host."""

    pipe: AsyncPipe[HostToDaemon]
    chain: ObedientChain
    marker: Marker
    host: asyncio.Task[None]
    frames: asyncio.Queue[HostResults]

    def give(self, *orders: str, first: int = 1, slice_ids: dict[int, str] | None = None) -> None:
        seqs = list(range(first, first + len(orders)))
        requests = [order.encode() for order in orders]
        self.pipe.send(RunSlices(seqs, [2] * len(seqs), requests, slice_ids or {}, {first: 5}))

    async def kinds(self, count: int) -> dict[int, int]:
        found: dict[int, int] = {}
        async with asyncio.timeout(20):
            while len(found) < count:
                frame = await self.frames.get()
                found |= dict(zip(frame.seqs, frame.kinds, strict=True))
        return found


def new_marker() -> Marker:
    page = make_page()
    try:
        return Marker(page)
    finally:
        os.close(page)


@pytest.fixture
async def daemon() -> AsyncIterator[Daemon]:
    ours, theirs = socket.socketpair()
    frames: asyncio.Queue[HostResults] = asyncio.Queue()

    def take(message: HostToDaemon) -> None:
        assert isinstance(message, HostResults)
        frames.put_nowait(message)

    decoder: Decoder[HostToDaemon] = Decoder(HostToDaemon)
    with theirs, closing(new_marker()) as marker:
        pipe = await AsyncPipe.open(ours, decoder, on_message=take, on_closed=lambda _: None)
        sync: SyncPipe[DaemonToHost] = SyncPipe(theirs, Decoder(DaemonToHost))
        chain = ObedientChain()
        host = Host("ex", cast("Chain", chain), pipe=sync, marker=marker)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(_live(host), name="host")
            yield Daemon(pipe, chain, marker, task, frames)
            pipe.close()


async def _live(host: Host) -> None:
    try:
        await host.run()
    except PipeClosed:
        return


async def test_slices_are_run_in_order_with_what_belongs_to_them(daemon: Daemon) -> None:
    daemon.give("{}", "{}", slice_ids={2: "its own"})
    assert await daemon.kinds(2) == {1: COMPLETED, 2: COMPLETED}
    first, second = daemon.chain.tasks
    assert (first.slice_id, first.epoch, first.retries) == (slice_id_of(ExId("ex"), Seq(1)), 2, 5)
    assert (second.slice_id, second.retries) == ("its own", 0)


async def test_an_error_is_explained_beside_its_slice(daemon: Daemon) -> None:
    daemon.give("{}", '{"error": "boom"}')
    frame = await daemon.frames.get()
    assert frame.kinds == bytes([COMPLETED, ERROR])
    assert frame.details[1].error == "boom"
    assert frame.details[1].op == "x" * 200
    assert frame.started_ms[0] > 0


async def test_results_do_not_wait_for_the_slice_behind_a_slow_one(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sliceworks.worker.host.TELL_NS", 0)
    daemon.give("{}", '{"wait": true}')
    assert await daemon.kinds(1) == {1: COMPLETED}
    daemon.chain.go.set()
    assert await daemon.kinds(1) == {2: COMPLETED}


async def test_the_marker_shows_the_slice_in_hand_and_then_none(daemon: Daemon) -> None:
    daemon.give('{"wait": true}')
    async with asyncio.timeout(20):
        await daemon.chain.begun.wait()
    assert daemon.marker.read().seq == 1
    daemon.chain.go.set()
    await daemon.kinds(1)
    assert daemon.marker.read().seq == 0


async def test_finish_returns_what_is_not_begun(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sliceworks.worker.host.TELL_NS", 0)
    daemon.give('{"wait": true}', "{}", "{}")
    daemon.pipe.send(HostFinish())
    daemon.chain.go.set()
    assert await daemon.kinds(3) == {1: COMPLETED, 2: RETURNED, 3: RETURNED}
    await daemon.host
    assert len(daemon.chain.tasks) == 1


async def test_an_idle_worker_finishes_at_once(daemon: Daemon) -> None:
    daemon.pipe.send(HostFinish())
    async with asyncio.timeout(20):
        await daemon.host
    assert daemon.frames.empty()


async def test_a_worker_without_its_daemon_ends(daemon: Daemon) -> None:
    daemon.pipe.close()
    async with asyncio.timeout(20):
        await daemon.host
