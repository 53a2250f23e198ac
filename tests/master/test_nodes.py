"""Worker daemons at the master's door."""

from __future__ import annotations

import pytest

from sliceworks.protocol.channel import ChannelClosed
from sliceworks.protocol.messages import (
    VERSION,
    Assignments,
    MasterToNode,
    NodeHello,
    NodeState,
    NodeWelcome,
    Refused,
)
from tests.master.played import PlayedMaster


def hello(**changes: int | str) -> NodeHello:
    given: dict[str, int | str] = {
        "version": VERSION,
        "node_id": "node",
        "incarnation": "first",
        "hostname": "host",
        "pid": 77,
        "slots": 4,
        "python_version": "3.11.7",
        "sliceworks_version": "0.1.0",
    }
    return NodeHello(**{**given, **changes})  # type: ignore[arg-type]  # each has its own type


async def test_a_node_is_welcomed_and_told_everything_at_once(master: PlayedMaster) -> None:
    async with master.peer("/_ws/node", MasterToNode) as peer:
        await peer.send(hello())
        welcome = await peer.receive(NodeWelcome)
        assert (welcome.version, welcome.cluster) == (VERSION, "played")
        assert (await peer.receive(Assignments)).items == []


async def test_another_version_is_refused_with_both(master: PlayedMaster) -> None:
    async with master.peer("/_ws/node", MasterToNode) as peer:
        await peer.send(hello(version=VERSION + 8))
        reason = (await peer.receive(Refused)).reason
        assert f"version {VERSION} " in reason
        assert f"version {VERSION + 8}" in reason


async def test_a_node_that_says_no_hello_is_refused(master: PlayedMaster) -> None:
    async with master.peer("/_ws/node", MasterToNode) as peer:
        await peer.send(NodeState([], []))
        assert "no hello" in (await peer.receive(Refused)).reason


async def test_a_second_hello_ends_the_connection(master: PlayedMaster) -> None:
    async with master.peer("/_ws/node", MasterToNode) as peer:
        await peer.send(hello())
        await peer.receive(NodeWelcome)
        await peer.send(hello())
        with pytest.raises(ChannelClosed):
            await peer.receive(Refused)


async def test_a_newer_connection_replaces_the_older(master: PlayedMaster) -> None:
    async with (
        master.peer("/_ws/node", MasterToNode) as first,
        master.peer("/_ws/node", MasterToNode) as second,
    ):
        await first.send(hello())
        await first.receive(Assignments)
        await second.send(hello(incarnation="second"))
        await second.receive(Assignments)
        assert "newer connection" in (await first.receive(Refused)).reason
        _, state = await master.ask("GET", "/cluster/state")
        assert state["node"]["state"] == "connected"


async def test_new_workers_of_a_running_execution_go_to_a_node_that_joins(master: PlayedMaster) -> None:
    async with master.node("one", slots=1) as one:
        started = await master.submit()
        async with master.controller(started["ex_id"]):
            assert (await one.assigned(started["ex_id"])).workers == 1
            async with master.node("two", slots=1) as two:
                assert (await two.assigned(started["ex_id"])).workers == 1
