"""The connection of this node to the master: opened again and again, for ever.

The master says what shall run here; the node says what does.  Of the node's states only the newest counts,
so one that changes often is sent now and then.  A connection begins with nothing to send: the node learns
that the master is found, and shows its state for this connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeAlias, assert_never

import aiohttp
import structlog

from sliceworks.protocol.channel import Backoff, Channel, ChannelClosed, connect, stay_cancelled
from sliceworks.protocol.codec import Decoder
from sliceworks.protocol.errors import PeerError, ProtocolError, VersionError
from sliceworks.protocol.messages import (
    VERSION,
    Assignments,
    MasterToNode,
    NodeHello,
    NodeState,
    NodeWelcome,
    Ping,
    Refused,
)
from sliceworks.worker.events import Peer, PeerFound, PeerLost

SEND_EVERY_SECONDS: Final = 0.02
WELCOME_SECONDS: Final = 10

_decoder: Final[Decoder[MasterToNode]] = Decoder(MasterToNode)

log = structlog.get_logger(__name__)

Told: TypeAlias = PeerFound | PeerLost | Assignments


class MasterLink:
    """Connects to the master while `run` runs; `tell` is the node's."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, *, hello: NodeHello, heartbeat_ms: int
    ) -> None:
        self._session = session
        self._url = url
        self._hello = hello
        self._heartbeat_ms = heartbeat_ms
        self._state: NodeState | None = None
        self._sent: NodeState | None = None
        self._changed = asyncio.Event()
        self._complained = False
        self.shown = asyncio.Event()
        """Whether the newest state is sent, as far as there is a connection."""

    def show(self, state: NodeState) -> None:
        """This is the node's state now."""
        self._state = state
        if state != self._sent:
            self.shown.clear()
            self._changed.set()

    async def run(self, tell: Callable[[Told], None]) -> None:
        """Connect, and connect again, until cancelled."""
        backoff = Backoff()
        while True:
            try:
                await self._connect(tell, backoff)
            except* ProtocolError as errors:
                self._complain(errors)
            stay_cancelled()
            await asyncio.sleep(backoff.next_seconds())

    async def _connect(self, tell: Callable[[Told], None], backoff: Backoff) -> None:
        async with connect(self._session, self._url, _decoder, heartbeat_ms=self._heartbeat_ms) as channel:
            cluster = await self._introduce(channel)
            backoff.reset()
            self._complained = False
            log.info("master_connected", url=self._url, cluster=cluster)
            self._state = self._sent = None
            self._changed.clear()
            tell(PeerFound(Peer.MASTER))
            try:
                await self._converse(channel, tell)
            finally:
                tell(PeerLost(Peer.MASTER))

    async def _introduce(self, channel: Channel[MasterToNode]) -> str:
        """The name of the cluster; ProtocolError if we are not welcome."""
        await channel.send(self._hello)
        try:
            async with asyncio.timeout(WELCOME_SECONDS):
                welcome = await channel.receive()
        except TimeoutError as error:
            message = f"the master did not welcome this node within {WELCOME_SECONDS} s"
            raise PeerError(message) from error
        if isinstance(welcome, Refused):
            raise ChannelClosed(welcome.reason)
        if not isinstance(welcome, NodeWelcome):
            message = f"the master began with {type(welcome).__name__} instead of a welcome"
            raise PeerError(message)
        if welcome.version != VERSION:
            message = f"the master speaks protocol version {welcome.version}, this node {VERSION}"
            raise VersionError(message)
        return welcome.cluster

    async def _converse(self, channel: Channel[MasterToNode], tell: Callable[[Told], None]) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._send_states(channel), name="master-link-send")
            while True:
                message = await channel.receive()
                match message:
                    case Assignments():
                        tell(message)
                    case Refused():
                        raise ChannelClosed(message.reason)
                    case NodeWelcome() | Ping():
                        text = f"{type(message).__name__} out of place"
                        raise PeerError(text)
                    case _ as never:
                        assert_never(never)

    async def _send_states(self, channel: Channel[MasterToNode]) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            state = self._state
            if state is not None and state != self._sent:
                await channel.send(state)
                self._sent = state
            if not self._changed.is_set():
                self.shown.set()
            await asyncio.sleep(SEND_EVERY_SECONDS)

    def _complain(self, errors: ExceptionGroup[ProtocolError]) -> None:
        """Once, until it works again."""
        if self._complained:
            return
        self._complained = True
        error: BaseException = errors
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        log.warning("master_unreachable", url=self._url, reason=str(error))
