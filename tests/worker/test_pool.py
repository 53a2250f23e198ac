"""A pool with real workers and a controller over a real websocket: nothing is lost whoever dies."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import os
import secrets
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from sliceworks.protocol.errors import InvalidError
from sliceworks.protocol.messages import AckResults, Assignment, RecallSlices, RunSlices, WorkerInfo
from sliceworks.protocol.process import identity_of
from sliceworks.protocol.states import ResultKind
from sliceworks.worker.asset_fetch import AssetDelayError, AssetError
from sliceworks.worker.events import Peer, PeerLost
from sliceworks.worker.pool import Assign, Drain, Pool, PoolChanged, Premises
from tests.zips import bundle

if TYPE_CHECKING:
    from tests.worker.conftest import FakeController

COMPLETED, LOST, RETURNED = ResultKind.COMPLETED, ResultKind.LOST, ResultKind.RETURNED
SLOW = {"_op": "delay", "ms": 600_000}
BRIEF = {"_op": "delay", "ms": 1_200}  # longer than it takes until a pool says that a worker is busy
PROCESSOR = """
from sliceworks.operations import MapProcessor
class Shout(MapProcessor):
    def map(self, record):
        return record
"""
Assigner = Callable[..., Assignment]


class Owner:
    """A pool, and what it reported."""

    def __init__(self, assignment: Assignment, premises: Premises) -> None:
        self.changes: list[PoolChanged] = []
        self._news = asyncio.Event()
        self._number = 0
        self.over = False
        self.pool = Pool.open(assignment, premises, first_batch=1, report=self._report)
        self.assign(assignment)

    @property
    def workers(self) -> list[WorkerInfo]:
        return self.changes[-1].workers if self.changes else []

    def assign(self, assignment: Assignment | None) -> None:
        self._number += 1
        self.pool.tell(Assign(self._number, assignment))

    async def run(self) -> None:
        await self.pool.run(self.pool.ref)
        self.over = True
        self._news.set()

    async def until(self, is_so: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not is_so():
                self._news.clear()
                await self._news.wait()

    async def until_ready(self, count: int) -> list[int]:
        """Wait for so many idle or busy workers; their pids."""
        states = ("idle", "busy")
        await self.until(lambda: sum(worker.state in states for worker in self.workers) == count)
        return [worker.pid for worker in self.workers]

    def _report(self, change: PoolChanged) -> None:
        self.changes.append(change)
        self._news.set()


@asynccontextmanager
async def owned(assignment: Assignment, premises: Premises) -> AsyncIterator[Owner]:
    owner = Owner(assignment, premises)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(owner.run(), name="pool")
        yield owner
        task.cancel()


def slices(first: int, count: int, *, epoch: int = 1) -> RunSlices:
    seqs = list(range(first, first + count))
    return RunSlices(seqs, [epoch] * count, [b'{"start": 0, "count": 2}'] * count)


async def test_every_slice_of_many_is_run_once(
    premises: Premises, controller: FakeController, assign: Assigner
) -> None:
    async with owned(assign(2), premises):
        await controller.until(lambda: controller.states and controller.states[-1].available == 2)
        await controller.send(slices(1, 3_000))
        await controller.until(lambda: len(controller.kinds()) == 3_000)
    seqs = [seq for batch in controller.results for seq in batch.seqs]
    assert sorted(seqs) == list(range(1, 3_001))
    assert set(controller.kinds().values()) == {COMPLETED}
    assert [batch.batch for batch in controller.results] == list(range(1, len(controller.results) + 1))
    assert controller.results[-1].window > 100
    assert {worker for batch in controller.results for worker in batch.workers} == {1, 2}


async def test_a_killed_worker_costs_its_slice_and_is_replaced(
    premises: Premises, controller: FakeController, assign: Assigner
) -> None:
    async with owned(assign(1, SLOW), premises) as owner:
        await owner.until_ready(1)
        await controller.until(lambda: controller.channel)
        await controller.send(slices(1, 2))
        await owner.until(lambda: owner.workers[0].state == "busy")
        os.kill(owner.workers[0].pid, signal.SIGKILL)
        await controller.until(lambda: 1 in controller.kinds())
        assert controller.kinds() == {1: LOST}
        detail = controller.results[0].details[0]
        assert "was killed by signal 9 (SIGKILL)" in detail.error
        assert (detail.signal, detail.exit_code) == (9, None)
        await owner.until(lambda: [worker.worker_id for worker in owner.workers if worker.pid] == [2])


async def test_results_survive_a_lost_connection(
    premises: Premises, controller: FakeController, assign: Assigner
) -> None:
    async with owned(assign(1, BRIEF), premises) as owner:
        await owner.until_ready(1)
        await controller.until(lambda: controller.channel)
        await controller.send(slices(1, 2))
        await owner.until(lambda: owner.workers[0].state == "busy")
        await controller.drop()
        await controller.until(lambda: len(controller.hellos) == 2)
        assert (2, 1) in controller.held()
        await controller.until(lambda: len(controller.kinds()) == 2)
        assert controller.kinds() == {1: COMPLETED, 2: COMPLETED}
        numbers = [batch.batch for batch in controller.results]
        await controller.drop()
        await controller.until(lambda: len(controller.hellos) == 3)
        assert controller.held() == {(1, 1), (2, 1)}
        await controller.until(lambda: len(controller.results) >= len(numbers) + 2)
        await controller.send(AckResults(max(numbers)))
        await controller.send(RecallSlices(1))
        said = len(controller.states)
        await controller.until(lambda: len(controller.states) > said)
        assert owner.pool._machine.held() == []


async def test_a_new_generation_keeps_workers_and_results(
    premises: Premises, controller: FakeController, assign: Assigner
) -> None:
    async with owned(assign(1), premises) as owner:
        (pid,) = await owner.until_ready(1)
        await controller.until(lambda: controller.channel)
        await controller.send(slices(1, 1))
        await controller.until(controller.kinds)
        old = assign(4)
        controller.generation, controller.secret = 2, secrets.token_bytes(32)
        owner.assign(assign(1))
        owner.assign(old)
        await controller.until(lambda: len(controller.hellos) == 2 and controller.channel)
        assert controller.hellos[-1].generation == 2
        assert controller.held() == {(1, 1)}
        await controller.until(lambda: len(controller.results) == 2)
        assert controller.results[0].batch == controller.results[1].batch
        assert [worker.pid for worker in owner.workers] == [pid]
        await owner.until(lambda: owner.changes[-1].number == 3)


async def test_an_execution_that_is_not_listed_any_more_ends(
    premises: Premises, controller: FakeController, assign: Assigner
) -> None:
    async with owned(assign(2, BRIEF), premises) as owner:
        pids = await owner.until_ready(2)
        await controller.until(lambda: controller.channel)
        await controller.send(slices(1, 4))
        await owner.until(lambda: [worker.state for worker in owner.workers] == ["busy", "busy"])
        owner.assign(None)
        await controller.until(lambda: len(controller.kinds()) == 4)
        assert sorted(controller.kinds().values()) == [COMPLETED, COMPLETED, RETURNED, RETURNED]
        await controller.send(AckResults(controller.results[-1].batch))
        await owner.until(lambda: owner.over)
    assert [identity_of(pid) for pid in pids] == [None, None]
    assert owner.changes[-1].workers == []


async def test_the_end_of_the_grace_kills_and_returns(
    premises: Premises, controller: FakeController, assign: Assigner
) -> None:
    async with owned(assign(1, SLOW), premises) as owner:
        await owner.until_ready(1)
        await controller.until(lambda: controller.channel)
        await controller.send(slices(1, 1))
        await owner.until(lambda: owner.workers[0].state == "busy")
        owner.assign(assign(0, SLOW, grace_ms=200))
        await owner.until(lambda: owner.workers[0].state == "ending")
        await controller.until(lambda: controller.kinds() == {1: RETURNED})
        assert controller.results[-1].window == 0
        await controller.send(AckResults(controller.results[-1].batch))
        await owner.until(lambda: owner.over)


async def test_a_slice_that_takes_too_long_ends_its_worker(
    premises: Premises, controller: FakeController, assign: Assigner
) -> None:
    async with owned(assign(1, SLOW, slice_timeout="300ms"), premises) as owner:
        await owner.until_ready(1)
        await controller.until(lambda: controller.channel)
        await controller.send(slices(1, 1))
        await controller.until(lambda: controller.kinds() == {1: ResultKind.TIMED_OUT})
        (detail,) = controller.results[-1].details.values()
        assert "slice_timeout of 300ms" in detail.error
        assert (detail.op, detail.signal) == ("delay", 9)
        await owner.until_ready(1)


async def test_workers_that_do_not_start_are_given_up(
    premises: Premises, controller: FakeController, assign: Assigner
) -> None:
    async with owned(assign(2, {"_op": "no_such_operation"}), premises) as owner:
        await owner.until(lambda: owner.changes and owner.changes[-1].link.start_failures == 3)
        await owner.until(lambda: owner.workers == [])
        assert "no_such_operation" in owner.changes[-1].link.start_error
        await controller.until(lambda: controller.states and controller.states[-1].start_failures == 3)
        assert controller.states[-1].window == 0


async def test_more_workers_than_places_wait(
    premises: Premises, controller: FakeController, assign: Assigner
) -> None:
    async with owned(assign(5), premises) as owner:
        await owner.until_ready(3)
        assert len(owner.workers) == 3
        owner.assign(assign(2))
        await owner.until(lambda: len(owner.workers) == 2)


async def test_a_drained_pool_ends_when_its_results_are_acknowledged(
    premises: Premises, controller: FakeController, assign: Assigner
) -> None:
    async with owned(assign(1, BRIEF), premises) as owner:
        await owner.until_ready(1)
        await controller.until(lambda: controller.channel)
        await controller.send(slices(1, 2))
        await owner.until(lambda: owner.workers[0].state == "busy")
        owner.pool.tell(Drain(60_000))
        owner.assign(assign(3))
        await controller.until(lambda: controller.kinds() == {1: COMPLETED, 2: RETURNED})
        await controller.send(AckResults(controller.results[-1].batch))
        await owner.until(lambda: owner.over)


async def test_a_pool_that_nobody_reaches_ends_its_workers(
    premises: Premises, controller: FakeController, assign: Assigner
) -> None:
    lonely = dataclasses.replace(premises, disconnect_timeout_ms=100)
    async with owned(assign(1), lonely) as owner:
        await owner.until_ready(1)
        await controller.until(lambda: controller.channel)
        controller.answers = "refuse"
        owner.pool.tell(PeerLost(Peer.MASTER))
        await controller.drop()
        await owner.until(lambda: owner.workers == [])
        assert not owner.over


async def test_nothing_lives_longer_than_its_pool(
    premises: Premises, controller: FakeController, assign: Assigner
) -> None:
    async with owned(assign(2, SLOW), premises) as owner:
        pids = await owner.until_ready(2)
    for pid in pids:
        async with asyncio.timeout(10):
            while identity_of(pid):  # noqa: ASYNC110 - killed; nobody tells us when it is dead
                await asyncio.sleep(0.01)


async def test_a_document_that_cannot_be_read_is_refused(premises: Premises, assign: Assigner) -> None:
    assignment = replace(assign(1), execution=b'{"operations": 5}')
    with pytest.raises(InvalidError, match="cannot be read"):
        Pool.open(assignment, premises, first_batch=1, report=lambda _: None)


async def test_workers_run_the_code_of_an_asset(
    premises: Premises, controller: FakeController, assign: Assigner, shelf: dict[str, bytes | Exception]
) -> None:
    asset = put(shelf, {"shout/processor.py": PROCESSOR})
    async with owned(assign(2, {"_op": f"shout@{asset}"}, assets=[asset]), premises) as owner:
        await owner.until_ready(2)
        await controller.until(lambda: controller.channel)
        await controller.send(slices(1, 50))
        await controller.until(lambda: len(controller.kinds()) == 50)
    assert set(controller.kinds().values()) == {COMPLETED}


async def test_an_asset_that_is_late_is_waited_for_and_the_reason_told(
    premises: Premises, controller: FakeController, assign: Assigner, shelf: dict[str, bytes | Exception]
) -> None:
    asset = put(shelf, {"shout/processor.py": PROCESSOR})
    content, shelf[asset] = shelf[asset], AssetDelayError("the master is away")
    async with owned(assign(2, {"_op": "shout"}, assets=[asset]), premises) as owner:
        await owner.until(
            lambda: owner.changes and owner.changes[-1].link.start_error == "the master is away"
        )
        await controller.until(lambda: controller.states and controller.states[-1].start_error)
        assert controller.states[-1].start_failures == 0
        assert owner.workers == []
        shelf[asset] = content
        await owner.until_ready(2)
        await controller.until(lambda: not controller.states[-1].start_error)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import nowhere", "asset a:1.0.0: shout/processor.py: cannot be imported"),
        ("", "asset a:1.0.0: shout/processor.py has no class"),
        (None, "the master does not have it"),
    ],
)
async def test_an_asset_that_cannot_be_used_is_a_failed_start(
    premises: Premises,
    assign: Assigner,
    shelf: dict[str, bytes | Exception],
    text: str | None,
    said: str,
) -> None:
    asset = put(shelf, {"shout/processor.py": text or ""})
    if text is None:
        shelf[asset] = AssetError("the master does not have it")
    async with owned(assign(1, {"_op": "shout"}, assets=[asset]), premises) as owner:
        await owner.until(lambda: owner.changes and owner.changes[-1].link.start_failures == 3)
        error = owner.changes[-1].link.start_error
    assert said in error
    assert "site-packages" not in error


async def test_a_document_with_an_asset_that_is_no_id_is_refused(
    premises: Premises, assign: Assigner
) -> None:
    with pytest.raises(InvalidError, match="which is no asset id"):
        Pool.open(assign(1, assets=["../../etc"]), premises, first_batch=1, report=lambda _: None)


def put(shelf: dict[str, bytes | Exception], files: dict[str, str]) -> str:
    """Make an asset of these files that can be fetched; its id."""
    content = bundle(files, name="a")
    asset_id = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    shelf[asset_id] = content
    return asset_id
