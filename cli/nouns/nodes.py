"""Finding a node by what a person calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sliceworks.protocol.errors import InvalidError, NotFoundError

if TYPE_CHECKING:
    from sliceworks.cli.client import Client, Node, Process


async def find_node(client: Client, target: str) -> Node:
    """The worker daemon, or the master's host, of this id or host name.

    NotFoundError if there is none; InvalidError if several nodes have the name.
    """
    nodes = await client.cluster.nodes()
    exact = [node for node in nodes if node.node_id == target]
    found = exact or [node for node in nodes if node.hostname == target and node.total]
    if not found:
        message = f"Could not find node {target}; `sliceworks node list` prints those there are"
        raise NotFoundError(message)
    if len(found) > 1:
        ids = ", ".join(node.node_id for node in found)
        message = f"{len(found)} nodes have the host name {target}: name one by its id, of {ids}"
        raise InvalidError(message)
    return found[0]


def name_of(node: Node) -> str:
    """Its id, with the host name if that is another."""
    return node.node_id if node.node_id == node.hostname else f"{node.node_id} ({node.hostname})"


def workers_of(node: Node) -> list[Process]:
    """The workers that it has now."""
    return [process for process in node.active if process.assignment == "worker"]
