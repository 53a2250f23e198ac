"""Nodes: taking them out of service for maintenance, and back."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from sliceworks.master.api import shapes
from sliceworks.master.api.context import Api, Route
from sliceworks.master.api.description import About
from sliceworks.master.api.rendering import answer


async def drain(api: Api, request: web.Request) -> web.Response:
    """Give a node no more work: its share is placed elsewhere, its workers end after the slice in hand."""
    node_id = request.match_info["node_id"]
    await api.commands.drain_node(node_id)
    return answer({"node_id": node_id, "draining": True})


async def resume(api: Api, request: web.Request) -> web.Response:
    """Give a drained node work again."""
    node_id = request.match_info["node_id"]
    await api.commands.resume_node(node_id)
    return answer({"node_id": node_id, "draining": False})


_DRAINING: Final = About("cluster", shapes.Draining, errors=(404,))

ROUTES: Final = (
    Route("POST", "/nodes/{node_id}/_drain", drain, _DRAINING),
    Route("POST", "/nodes/{node_id}/_resume", resume, _DRAINING),
)
