"""Nodes over HTTP."""

from __future__ import annotations

from tests.master.played import PlayedMaster


async def test_a_node_is_drained_and_resumed(master: PlayedMaster) -> None:
    async with master.node() as node:
        await node.runs()
        for verb, draining, available in (("_drain", True, 0), ("_resume", False, 4)):
            answer = await master.ask("POST", f"/nodes/node/{verb}")
            assert answer == (200, {"node_id": "node", "draining": draining})
            _, state = await master.ask("GET", "/cluster/state")
            assert (state["node"]["draining"], state["node"]["available"]) == (draining, available)


async def test_a_node_that_is_not_there(master: PlayedMaster) -> None:
    status, answer = await master.ask("POST", "/nodes/nope/_drain")
    assert (status, answer["message"]) == (404, "Could not find node nope")
