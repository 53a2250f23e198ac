"""The controller's side of the links: worker daemons connect here, prove themselves, and take slices.

Every websocket is a connection with a number of its own.  What is sent on a connection goes through its
outbox, so the machine never waits for a slow daemon; the windows bound what an outbox can hold.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, TypeAlias

import structlog
from aiohttp import web

from sliceworks.master.execution.events import Event, LinkClosed, LinkOpened, LinkReported, ResultsArrived
from sliceworks.protocol.channel import Channel, ChannelClosed, accept
from sliceworks.protocol.codec import Decoder
from sliceworks.protocol.errors import PeerError, VersionError
from sliceworks.protocol.messages import (
    CONTROLLER_ENDS,
    VERSION,
    ControllerToDaemon,
    DaemonToController,
    LinkHello,
    LinkState,
    LinkWelcome,
    Ping,
    Refused,
    SliceResults,
)
from sliceworks.protocol.proof import proof_of, proves

log = structlog.get_logger(__name__)

LINK_PATH: Final = "/_ws/link"
METRICS_PATH: Final = "/metrics"
HELLO_SECONDS: Final = 10

Figures: TypeAlias = Callable[[str], tuple[bytes, str]]
"""Makes the text for a scraper, and its content type, from an Accept header."""


class LinkServer:
    """Accepts daemons for one execution and one generation."""

    def __init__(
        self, *, ex_id: str, generation: int, secret: bytes, heartbeat_ms: int, tell: Callable[[Event], None]
    ) -> None:
        self._ex_id = ex_id
        self._generation = generation
        self._secret = secret
        self._heartbeat_ms = heartbeat_ms
        self._tell = tell
        self._outboxes: dict[int, asyncio.Queue[ControllerToDaemon]] = {}
        self._channels: dict[int, Channel[DaemonToController]] = {}
        self._connections = 0

    @asynccontextmanager
    async def serve(self, sock: socket.socket, *, figures: Figures) -> AsyncIterator[None]:
        """Listen on a bound socket until the block ends; `figures` are for whoever asks for /metrics."""
        app = web.Application()
        app.router.add_get(LINK_PATH, self._link)
        app.router.add_get(METRICS_PATH, partial(_metrics, figures))
        app.on_shutdown.append(self._close_all)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        try:
            await web.SockSite(runner, sock).start()
            yield
        finally:
            await runner.cleanup()

    def send(self, connection: int, message: ControllerToDaemon) -> None:
        """Queue a message; a connection that is gone takes none."""
        if outbox := self._outboxes.get(connection):
            outbox.put_nowait(message)

    async def _close_all(self, _app: web.Application) -> None:
        async with asyncio.TaskGroup() as group:
            for connection, channel in self._channels.items():
                group.create_task(channel.close(CONTROLLER_ENDS), name=f"link-{connection}-close")

    async def _link(self, request: web.Request) -> web.StreamResponse:
        async with accept(
            request, Decoder[DaemonToController](DaemonToController), heartbeat_ms=self._heartbeat_ms
        ) as channel:
            try:
                hello = await self._hello(channel)
                await self._converse(channel, hello)
            except (PeerError, TimeoutError) as error:
                log.warning("link_refused", peer=request.remote, reason=str(error))
                await channel.close(str(error))
            except ChannelClosed:
                pass
        return channel.response

    async def _hello(self, channel: Channel[DaemonToController]) -> LinkHello:
        async with asyncio.timeout(HELLO_SECONDS):
            hello = await channel.receive()
        if not isinstance(hello, LinkHello):
            message = f"expected LinkHello first, got {type(hello).__name__}"
            raise PeerError(message)
        if hello.version != VERSION:
            message = f"the daemon speaks protocol {hello.version}, this controller speaks {VERSION}"
            raise VersionError(message)
        proven = proves(hello.proof, self._secret, role="daemon", nonce=hello.nonce)
        known = hello.ex_id == self._ex_id and proven
        if not known or hello.generation != self._generation:
            await channel.send(
                Refused("this controller does not know you: wait for the master's next assignments")
            )
            message = f"wrong proof or generation from {hello.hostname}"
            raise PeerError(message)
        return hello

    async def _converse(self, channel: Channel[DaemonToController], hello: LinkHello) -> None:
        self._connections += 1
        connection = self._connections
        self._channels[connection] = channel
        outbox = self._outboxes[connection] = asyncio.Queue[ControllerToDaemon]()
        outbox.put_nowait(
            LinkWelcome(VERSION, self._generation, proof_of(self._secret, "controller", hello.nonce))
        )
        self._tell(LinkOpened(connection, hello))
        log.info("link_opened", node=hello.hostname, held=len(hello.held_seqs))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_send_all(channel, outbox), name=f"link-{connection}-sender")
                group.create_task(self._receive_all(channel, connection), name=f"link-{connection}-receiver")
        except* ChannelClosed as closed:
            log.info("link_closed", node=hello.hostname, reason=str(closed.exceptions[0]))
        except* PeerError as broken:
            log.warning("link_broken", node=hello.hostname, reason=str(broken.exceptions[0]))
        finally:
            del self._outboxes[connection], self._channels[connection]
            self._tell(LinkClosed(connection))

    async def _receive_all(self, channel: Channel[DaemonToController], connection: int) -> None:
        while True:
            match await channel.receive():
                case SliceResults() as results:
                    self._tell(ResultsArrived(connection, results))
                case LinkState() as state:
                    self._tell(LinkReported(connection, state))
                case Ping():
                    pass
                case LinkHello():
                    message = "a second LinkHello on one connection"
                    raise PeerError(message)


async def _metrics(figures: Figures, request: web.Request) -> web.Response:
    body, media = figures(",".join(request.headers.getall("Accept", [])))
    return web.Response(body=body, headers={"Content-Type": media})


async def _send_all(channel: Channel[DaemonToController], outbox: asyncio.Queue[ControllerToDaemon]) -> None:
    while True:
        await channel.send(await outbox.get())


def listen(bind: str, port_range: tuple[int, int]) -> socket.socket:
    """A bound socket on the first free port of the range; any free port when the whole range is taken."""
    for port in (*range(port_range[0], port_range[1] + 1), 0):
        try:
            return socket.create_server((bind, port), backlog=128)
        except OSError:
            if not port:
                raise
    raise AssertionError
