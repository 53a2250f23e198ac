"""A node with real workers: what the master wants, it gets, and it is told when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from msgspec.structs import replace
from structlog.testing import capture_logs

from sliceworks.protocol.messages import AckResults, Assignment, Assignments, NodeState, RunSlices
from sliceworks.worker.events import Peer, PeerFound, PeerLost
from sliceworks.worker.node import Node, StatusAsked
from sliceworks.worker.pool import Drain, Premises

if TYPE_CHECKING:
    from tests.worker.conftest import FakeController

Assigner = Callable[..., Assignment]


class Watched:
    """A node, and the states that it showed."""

    def __init__(self, premises: Premises) -> None:
        self.states: list[NodeState] = []
        self._news = asyncio.Event()
        self._revision = 0
        self.node = Node(3, premises, show=self._show)
        self.node.ref.tell(PeerFound(Peer.MASTER))

    def assign(self, *items: Assignment) -> None:
        self._revision += 1
        self.node.ref.tell(Assignments(self._revision, list(items)))

    async def until(self, is_so: Callable[[NodeState], object]) -> NodeState:
        async with asyncio.timeout(20):
            while not self.states or not is_so(self.states[-1]):
                self._news.clear()
                await self._news.wait()
        return self.states[-1]

    def _show(self, state: NodeState) -> None:
        self.states.append(state)
        self._news.set()


@asynccontextmanager
async def watched(premises: Premises) -> AsyncIterator[Watched]:
    watched = Watched(premises)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(watched.node.run(watched.node.ref), name="node")
        yield watched
        task.cancel()


def all_idle(count: int) -> Callable[[NodeState], bool]:
    return lambda state: [worker.state for worker in state.workers] == ["idle"] * count


async def test_workers_come_and_go_as_assigned(premises: Premises, assign: Assigner) -> None:
    async with watched(premises) as watch:
        watch.assign(assign(2))
        state = await watch.until(all_idle(2))
        assert state.revision == 1
        assert all(worker.pid for worker in state.workers)
        watch.assign(assign(1))
        await watch.until(lambda state: state.revision == 2 and len(state.workers) == 1)
        watch.assign()
        state = await watch.until(lambda state: state.revision == 3 and not state.workers and not state.links)
        assert state.links == []


async def test_the_same_assignments_again_change_nothing(premises: Premises, assign: Assigner) -> None:
    async with watched(premises) as watch:
        watch.assign(assign(1))
        before = await watch.until(all_idle(1))
        watch.assign(assign(1))
        after = await watch.until(lambda state: state.revision == 2)
        assert after.workers == before.workers


async def test_an_execution_that_is_wanted_again_gets_a_new_pool_with_new_batch_numbers(
    premises: Premises, assign: Assigner, controller: FakeController
) -> None:
    async with watched(premises) as watch:
        for number in (1, 2):
            watch.assign(assign(1))
            await watch.until(all_idle(1))
            await controller.until(lambda: controller.channel)
            await controller.send(RunSlices([number], [1], [b'{"start": 0, "count": 1}']))
            await controller.until(lambda count=number: len(controller.results) == count)  # type: ignore[misc] # bound
            await controller.send(AckResults(controller.results[-1].batch))
            watch.assign()
            await watch.until(lambda state: not state.links)
            await controller.until(lambda: controller.channel is None)
    assert [batch.batch for batch in controller.results] == [1, 2]
    assert [batch.workers for batch in controller.results] == [[1], [2]]


async def test_a_node_that_forgot_a_result_does_not_answer_for_leases_from_before(
    premises: Premises, assign: Assigner, controller: FakeController
) -> None:
    async with watched(premises) as watch:
        watch.assign(assign(1))
        await watch.until(all_idle(1))
        await controller.until(lambda: controller.channel)
        await controller.send(RunSlices([1], [1], [b'{"start": 0, "count": 1}']))
        await controller.until(lambda: controller.results)
        controller.answers = "refuse"
        await controller.drop()
        watch.assign()
        await watch.until(lambda state: not state.links)
        controller.answers = "welcome"
        watch.assign(assign(1))
        await controller.until(lambda: controller.channel)
    assert {hello.incarnation for hello in controller.hellos[:-1]} == {"life-1"}
    assert (controller.hellos[-1].incarnation, controller.held()) == ("life-1.1", set())


async def test_more_than_fits_waits_and_is_said_once(premises: Premises, assign: Assigner) -> None:
    with capture_logs() as logs:
        async with watched(premises) as watch:
            watch.assign(assign(5))
            watch.assign(assign(4))
            await watch.until(all_idle(3))
    assert [line["assigned"] for line in logs if line["event"] == "more_workers_than_slots"] == [5]


async def test_an_unreadable_execution_is_reported(premises: Premises, assign: Assigner) -> None:
    async with watched(premises) as watch:
        watch.assign(replace(assign(1), execution=b"{}"))
        state = await watch.until(lambda state: state.links)
        assert (state.links[0].start_failures, state.revision) == (3, 1)
        assert "cannot be read" in state.links[0].start_error
        watch.assign(assign(1))
        await watch.until(all_idle(1))


async def test_a_drained_node_has_no_workers_and_takes_none(premises: Premises, assign: Assigner) -> None:
    async with watched(premises) as watch:
        watch.assign(assign(2))
        await watch.until(all_idle(2))
        watch.node.ref.tell(Drain(5_000))
        async with asyncio.timeout(20):
            await watch.node.drained.wait()
        watch.assign(assign(2))
        state = await watch.until(lambda state: state.revision == 2)
        assert (state.workers, state.draining) == ([], True)


async def test_a_node_with_nothing_to_do_is_drained_at_once(premises: Premises) -> None:
    async with watched(premises) as watch:
        watch.node.ref.tell(Drain(5_000))
        async with asyncio.timeout(20):
            await watch.node.drained.wait()


async def test_it_says_in_one_line_how_it_fares(premises: Premises, assign: Assigner) -> None:
    async with watched(premises) as watch:
        ref = watch.node.ref
        assert await ref.ask(StatusAsked) == "0 executions, 0 of 3 slots busy, connected to the master"
        watch.assign(assign(2))
        await watch.until(all_idle(2))
        ref.tell(PeerLost(Peer.MASTER))
        assert await ref.ask(StatusAsked) == "1 execution, 2 of 3 slots busy, looking for the master"
        watch.assign()
        await watch.until(lambda state: not state.workers and not state.links)
