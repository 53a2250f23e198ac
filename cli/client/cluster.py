"""The cluster: its nodes, its controllers, its sums."""

from __future__ import annotations

from typing import Any

from sliceworks.cli.client.documents import (
    ClusterInfo,
    ClusterSums,
    Controller,
    Json,
    Node,
    read,
    read_all,
)
from sliceworks.cli.client.refusals import no_master
from sliceworks.cli.client.transport import Transport, path_of


class Cluster:
    """The cluster as a whole."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def info(self) -> ClusterInfo:
        """What the master is."""
        return read(ClusterInfo, await self._transport.get("/"))

    async def nodes(self) -> list[Node]:
        """Every worker daemon, and the master's host."""
        state: Any = await self._transport.get("/cluster/state")
        if not isinstance(state, dict):
            raise no_master(request="/cluster/state", what="no object")
        return read_all(Node, state.values())

    async def controllers(self) -> list[Controller]:
        """Every connected controller."""
        return read_all(Controller, await self._transport.get("/cluster/controllers"))

    async def sums(self) -> ClusterSums:
        """What all executions together did."""
        answer = await self._transport.get("/cluster/stats")
        return read(ClusterSums, answer.get("controllers") if isinstance(answer, dict) else None)

    async def drain(self, node_id: str) -> Json:
        """Give the node no more work, and let it hand back or finish what it has."""
        answer: Json = await self._transport.post(path_of("nodes", node_id, "_drain"))
        return answer

    async def resume(self, node_id: str) -> Json:
        """Give a drained node work again."""
        answer: Json = await self._transport.post(path_of("nodes", node_id, "_resume"))
        return answer
