"""Who is believed to be the controller of an execution."""

from __future__ import annotations

import pytest

from sliceworks.master.cluster import effects as ef
from sliceworks.master.controllers import Over, Proved, Stranger, Unfit, judge
from sliceworks.master.store.execution import SCHEMA
from sliceworks.master.store.records import Credentials
from sliceworks.protocol.channel import ChannelClosed
from sliceworks.protocol.messages import (
    VERSION,
    MasterToController,
    NodeHello,
    OutcomeApplied,
    Refused,
    Wishes,
)
from sliceworks.protocol.states import ExecutionStatus
from tests.master.played import PlayedMaster, hello_of

SECRET = b"s" * 32
ORDER = ef.SpawnController("ex", "job", 2, SECRET, Wishes(1, paused=False, stopping=False, grace_ms=0), b"{}")
RUNNING = Credentials(2, SECRET, ExecutionStatus.RUNNING)


def test_the_newest_generation_with_the_secret_is_it() -> None:
    assert judge(hello_of(ORDER), RUNNING) == Proved()


def test_the_controller_of_an_ended_execution_may_end() -> None:
    assert judge(hello_of(ORDER), Credentials(2, SECRET, ExecutionStatus.COMPLETED)) == Over()


@pytest.mark.parametrize("credentials", [None, Credentials(3, SECRET, ExecutionStatus.RUNNING)])
def test_others_are_strangers(credentials: Credentials | None) -> None:
    assert isinstance(judge(hello_of(ORDER), credentials), Stranger)


def test_without_the_secret_nobody_is_believed() -> None:
    assert judge(hello_of(ORDER, proof=b"x" * 32), RUNNING) == Stranger("the proof is wrong")


@pytest.mark.parametrize("changes", [{"version": VERSION + 1}, {"schema": SCHEMA + 1}])
def test_another_version_cannot_be_talked_to(changes: dict[str, int]) -> None:
    verdict = judge(hello_of(ORDER, **changes), RUNNING)
    assert isinstance(verdict, Unfit)
    assert str(next(iter(changes.values()))) in verdict.reason


async def test_a_stranger_is_told_why(master: PlayedMaster) -> None:
    async with master.node():
        started = await master.submit()
        order = await master.processes.order_of(started["ex_id"])
        async with master.peer("/_ws/controller", MasterToController) as peer:
            await peer.send(hello_of(order, generation=7))
            assert "generation 7" in (await peer.receive(Refused)).reason
            with pytest.raises(ChannelClosed):
                await peer.receive(Wishes)


async def test_who_says_no_hello_is_cut_off(master: PlayedMaster) -> None:
    async with master.peer("/_ws/controller", MasterToController) as peer:
        await peer.send(NodeHello(VERSION, "n", "i", "h", 1, 1, "3", "1"))
        with pytest.raises(ChannelClosed):
            await peer.receive(Refused)


async def test_a_controller_of_another_version_is_replaced(master: PlayedMaster) -> None:
    async with master.node():
        started = await master.submit()
        order = await master.processes.order_of(started["ex_id"])
        async with master.peer("/_ws/controller", MasterToController) as peer:
            await peer.send(hello_of(order, schema=SCHEMA + 1))
            await peer.receive(Refused)
        async with master.controller(started["ex_id"], generation=2) as second:
            await second.receive(Wishes)
        assert master.processes.killed == [started["ex_id"]]


async def test_the_controller_of_an_ended_execution_is_let_go(master: PlayedMaster) -> None:
    async with master.node():
        started = await master.submit()
        async with master.controller(started["ex_id"]) as controller:
            await controller.concludes("completed")
            await controller.receive(OutcomeApplied)
        master.processes.exited(started["ex_id"])
        async with master.controller(started["ex_id"]) as again:
            await again.receive(OutcomeApplied)
