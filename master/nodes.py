"""The websocket of a worker daemon: hello, then states up and assignments down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog
from aiohttp import web

from sliceworks.master.cluster import events as ev
from sliceworks.master.sessions import Outbox, Sessions, refuse, until_closed
from sliceworks.master.store.records import NodeRecord
from sliceworks.protocol.channel import Channel, ChannelClosed, accept
from sliceworks.protocol.codec import Decoder
from sliceworks.protocol.errors import PeerError
from sliceworks.protocol.messages import (
    VERSION,
    NodeHello,
    NodeState,
    NodeToMaster,
    NodeWelcome,
    Ping,
    Refused,
)

log = structlog.get_logger(__name__)

HELLO_SECONDS: Final = 10
_DECODER: Final = Decoder[NodeToMaster](NodeToMaster)


class NodeSessions:
    """Accepts worker daemons."""

    def __init__(
        self, sessions: Sessions, tell: Callable[[ev.Event], None], *, cluster: str, heartbeat_ms: int
    ) -> None:
        self._sessions = sessions
        self._tell = tell
        self._cluster = cluster
        self._heartbeat_ms = heartbeat_ms

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """The life of one connection."""
        async with accept(request, _DECODER, heartbeat_ms=self._heartbeat_ms) as channel:
            try:
                await self._converse(channel)
            except ChannelClosed as end:
                log.debug("node_session_ended", reason=str(end))
            except (PeerError, TimeoutError) as error:
                log.warning("node_refused", peer=request.remote, reason=str(error) or "it said no hello")
        return channel.response

    async def _converse(self, channel: Channel[NodeToMaster]) -> None:
        async with asyncio.timeout(HELLO_SECONDS):
            hello = await channel.receive()
        problem = _problem(hello)
        if problem or not isinstance(hello, NodeHello):
            await refuse(channel, problem)
            raise PeerError(problem)
        await channel.send(NodeWelcome(VERSION, self._cluster, self._heartbeat_ms))
        with self._sessions.open() as outbox:
            self._tell(ev.NodeAttached(outbox.number, _record(hello)))
            try:
                await until_closed(outbox, channel, lambda message: self._take(hello, outbox, message))
            finally:
                self._tell(ev.NodeDetached(hello.node_id, outbox.number))

    def _take(self, hello: NodeHello, outbox: Outbox, message: object) -> None:
        match message:
            case NodeState():
                self._tell(ev.NodeReported(hello.node_id, outbox.number, message))
            case Refused(reason):
                log.warning("refused_by_node", node_id=hello.node_id, reason=reason)
            case Ping():
                pass
            case _:
                error = "a second hello"
                raise PeerError(error)


def _problem(hello: NodeToMaster) -> str:
    if not isinstance(hello, NodeHello):
        return "the first message is no hello"
    if hello.version != VERSION:
        return f"the master speaks version {VERSION} of the protocol, the node version {hello.version}"
    return ""


def _record(hello: NodeHello) -> NodeRecord:
    return NodeRecord(
        node_id=hello.node_id,
        incarnation=hello.incarnation,
        hostname=hello.hostname,
        pid=hello.pid,
        slots=hello.slots,
        python_version=hello.python_version,
        sliceworks_version=hello.sliceworks_version,
    )
