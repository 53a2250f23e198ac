"""Both ends of a channel, over a real server, and over a proxy that behaves as bad networks do."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import aiohttp
import pytest
from aiohttp import web

from sliceworks.protocol.channel import (
    READ_AHEAD_BYTES,
    Backoff,
    Channel,
    ChannelClosed,
    accept,
    connect,
)
from sliceworks.protocol.codec import MAX_FRAME_BYTES, Decoder, encode
from sliceworks.protocol.errors import PeerError, ProtocolError
from sliceworks.protocol.messages import (
    AckResults,
    ControllerToDaemon,
    DaemonToController,
    LinkState,
    Ping,
    RunSlices,
)

Server: TypeAlias = Channel[DaemonToController]
Client: TypeAlias = Channel[ControllerToDaemon]
CALM_MS = 60_000  # no beat within a test
QUICK_MS = 20
STATE = LinkState(1, 0, 1, 0, 20)
MEGABYTE = RunSlices([1], [1], [bytes(1_000_000)])


@dataclass
class Site:
    """A listening server: what its handler does is the test's to say."""

    heartbeat_ms: int = CALM_MS
    serve: Callable[[Server], Awaitable[None]] = field(default_factory=lambda: until_closed)
    port: int = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        decoder: Decoder[DaemonToController] = Decoder(DaemonToController)
        async with accept(request, decoder, heartbeat_ms=self.heartbeat_ms) as channel:
            await self.serve(channel)
        return channel.response


async def until_closed(channel: Server) -> None:
    with contextlib.suppress(ProtocolError):
        while True:
            await channel.receive()


async def echo(channel: Server) -> None:
    """Acknowledge each LinkState with its window."""
    with contextlib.suppress(ChannelClosed):
        while True:
            message = await channel.receive()
            assert isinstance(message, LinkState)
            await channel.send(AckResults(message.window))


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    app = web.Application()
    app.router.add_get("/", site.handle)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    await listener.start()
    site.port = runner.addresses[0][1]
    async with asyncio.timeout(60):
        yield site
    await runner.cleanup()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


Connect: TypeAlias = Callable[..., contextlib.AbstractAsyncContextManager[Client]]


@pytest.fixture
def connecting(site: Site, session: aiohttp.ClientSession) -> Connect:
    def connecting(
        heartbeat_ms: int = CALM_MS, port: int = 0
    ) -> contextlib.AbstractAsyncContextManager[Client]:
        decoder: Decoder[ControllerToDaemon] = Decoder(ControllerToDaemon)
        url = f"http://127.0.0.1:{port or site.port}/"
        return connect(session, url, decoder, heartbeat_ms=heartbeat_ms)

    return connecting


class Proxy:
    """Passes bytes on, until told to swallow them."""

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self.swallowing = False
        self._target_port = target_port
        self._writers: list[asyncio.StreamWriter] = []

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, target_port: int) -> AsyncIterator[Proxy]:
        proxy = cls(target_port)
        server = await asyncio.start_server(proxy._serve, "127.0.0.1", 0)
        proxy.port = server.sockets[0].getsockname()[1]
        async with server:
            yield proxy
            proxy.cut()

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target_port)
        self._writers += [writer, back]
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pump(reader, back))
            group.create_task(self._pump(there, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                if not self.swallowing:
                    writer.write(data)
                    await writer.drain()
            writer.close()


async def end_of(channel: Client) -> str:
    """Why it ends, after whatever comes before."""
    with pytest.raises(ChannelClosed) as raised:
        await receive_all(channel)
    return raised.value.reason


async def receive_all(channel: Client) -> None:
    while True:
        await channel.receive()


async def send_for_ever(channel: Server) -> None:
    while True:
        await channel.send(MEGABYTE)


async def test_messages_go_both_ways(site: Site, connecting: Connect) -> None:
    site.serve = echo
    async with connecting() as channel:
        for window in (1, 2):
            await channel.send(LinkState(1, 0, 1, 0, window))
        assert await channel.receive() == AckResults(1)
        assert await channel.receive() == AckResults(2)


async def test_a_message_of_many_megabytes_arrives(site: Site, connecting: Connect) -> None:
    big = RunSlices([1] * 30, [1] * 30, [bytes(1_000_000)] * 30)

    async def serve(channel: Server) -> None:
        await channel.send(big)
        await until_closed(channel)

    site.serve = serve
    async with connecting() as channel:
        assert await channel.receive() == big


async def test_the_reason_of_a_close_is_told_after_what_came_before(site: Site, connecting: Connect) -> None:
    async def serve(channel: Server) -> None:
        await channel.send(AckResults(1))
        await channel.close("the execution is over")

    site.serve = serve
    async with connecting() as channel:
        assert await channel.receive() == AckResults(1)
        assert await end_of(channel) == "the execution is over"
        assert await end_of(channel) == "the execution is over"
        with pytest.raises(ChannelClosed, match="the execution is over"):
            await channel.send(STATE)


async def test_our_own_close_ends_our_own_receive(site: Site, connecting: Connect) -> None:
    told: list[str] = []

    async def serve(channel: Server) -> None:
        with pytest.raises(ChannelClosed) as raised:
            await channel.receive()
        told.append(raised.value.reason)

    site.serve = serve
    async with connecting() as channel:
        async with asyncio.TaskGroup() as group:
            ending = group.create_task(end_of(channel))
            await asyncio.sleep(0)
            await channel.close("drained")
        assert ending.result() == "drained"
        await channel.close("again")
    assert told == ["drained"]


async def test_a_long_reason_is_cut_between_characters(site: Site, connecting: Connect) -> None:
    async def serve(channel: Server) -> None:
        await channel.close("é" * 200)

    site.serve = serve
    async with connecting() as channel:
        assert await end_of(channel) == "é" * 60


async def test_the_end_of_the_context_closes(site: Site, connecting: Connect) -> None:
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def serve(channel: Server) -> None:
        with pytest.raises(ChannelClosed) as raised:
            await channel.receive()
        ended.set_result(raised.value.reason)

    site.serve = serve
    async with connecting():
        pass
    assert await ended == ""


async def test_wrong_bytes_close_the_connection_with_the_reason(
    site: Site, session: aiohttp.ClientSession
) -> None:
    raised: asyncio.Future[PeerError] = asyncio.get_running_loop().create_future()

    async def serve(channel: Server) -> None:
        assert await channel.receive() == STATE
        with pytest.raises(PeerError) as caught:
            await channel.receive()
        raised.set_result(caught.value)

    site.serve = serve
    async with session.ws_connect(f"http://127.0.0.1:{site.port}/") as raw:
        await raw.send_bytes(encode(STATE))
        await raw.send_bytes(encode(AckResults(1)))
        close = await raw.receive()
        assert close.data == aiohttp.WSCloseCode.PROTOCOL_ERROR
        assert close.extra
        assert close.extra.startswith("not a message of this protocol")
        assert len(close.extra.encode()) <= 120
    assert "not a message of this protocol" in str(await raised)


async def test_a_text_frame_is_wrong(site: Site, session: aiohttp.ClientSession) -> None:
    async with session.ws_connect(f"http://127.0.0.1:{site.port}/") as raw:
        await raw.send_str("hello")
        assert (await raw.receive()).extra == "a text frame; messages of this protocol are binary"


async def test_an_oversize_frame_is_refused_before_it_is_read(
    site: Site, session: aiohttp.ClientSession
) -> None:
    raised: asyncio.Future[PeerError] = asyncio.get_running_loop().create_future()

    async def serve(channel: Server) -> None:
        with pytest.raises(PeerError) as caught:
            await channel.receive()
        raised.set_result(caught.value)

    site.serve = serve
    async with session.ws_connect(f"http://127.0.0.1:{site.port}/", max_msg_size=0) as raw:
        with contextlib.suppress(ConnectionError):
            await raw.send_bytes(bytes(MAX_FRAME_BYTES + 1))
        assert "exceeds limit" in str(await raised)


async def test_a_message_over_the_limit_is_not_sent(connecting: Connect) -> None:
    async with connecting() as channel:
        with pytest.raises(ProtocolError, match="over the limit"):
            await channel.send(RunSlices([1] * 40, [1] * 40, [bytes(1_000_000)] * 40))


async def test_what_is_no_websocket_is_a_bad_request(site: Site, session: aiohttp.ClientSession) -> None:
    async with session.get(f"http://127.0.0.1:{site.port}/") as response:
        assert response.status == 400


@pytest.mark.parametrize("path", ["/", "/nothing"])
async def test_a_server_that_is_not_there(site: Site, session: aiohttp.ClientSession, path: str) -> None:
    port = site.port if path == "/nothing" else 1
    decoder: Decoder[ControllerToDaemon] = Decoder(ControllerToDaemon)
    with pytest.raises(ChannelClosed, match=f"cannot connect to http://127.0.0.1:{port}{path}: .+"):
        async with connect(session, f"http://127.0.0.1:{port}{path}", decoder, heartbeat_ms=CALM_MS):
            pass


async def test_sending_waits_for_a_peer_that_does_not_read(site: Site, connecting: Connect) -> None:
    sent = 0
    let_go = asyncio.Event()
    stuck = asyncio.Event()

    async def serve(channel: Server) -> None:
        nonlocal sent
        while not let_go.is_set():
            try:
                async with asyncio.timeout(0.2):
                    await channel.send(MEGABYTE)
            except TimeoutError:
                stuck.set()
                await let_go.wait()
            sent += 1
        await channel.send(AckResults(1))
        await until_closed(channel)

    site.serve = serve
    async with connecting() as channel:
        await stuck.wait()
        assert channel._read_ahead_bytes <= READ_AHEAD_BYTES + 1_100_000
        let_go.set()
        received = 0
        while await channel.receive() == MEGABYTE:
            received += 1
        assert received == sent


async def test_a_cut_connection_is_noticed_by_both_ends(site: Site, connecting: Connect) -> None:
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def serve(channel: Server) -> None:
        with pytest.raises(ChannelClosed) as raised:
            await channel.receive()
        ended.set_result(raised.value.reason)

    site.serve = serve
    async with Proxy.running(site.port) as proxy, connecting(port=proxy.port) as channel:
        proxy.cut()
        assert await end_of(channel) != ""
        assert await ended != ""


async def test_silent_sides_keep_each_other_alive(site: Site, connecting: Connect) -> None:
    site.heartbeat_ms = QUICK_MS
    async with connecting(heartbeat_ms=QUICK_MS) as channel:
        before = channel.last_received_ms
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(QUICK_MS * 10 / 1000):
                await end_of(channel)
        assert channel.last_received_ms > before
        assert channel.last_received_ms <= time.monotonic_ns() // 1_000_000
        await channel.send(STATE)


async def test_a_half_open_connection_is_given_up_by_both_ends(site: Site, connecting: Connect) -> None:
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def serve(channel: Server) -> None:
        with pytest.raises(ChannelClosed) as raised:
            await channel.receive()
        ended.set_result(raised.value.reason)

    site.serve = serve
    site.heartbeat_ms = QUICK_MS
    async with Proxy.running(site.port) as proxy, connecting(QUICK_MS, proxy.port) as channel:
        proxy.swallowing = True
        assert await end_of(channel) == f"nothing was received for {3 * QUICK_MS} ms"
        assert await ended == f"nothing was received for {3 * QUICK_MS} ms"


async def test_a_sender_that_is_stuck_on_a_half_open_connection_is_freed(
    site: Site, connecting: Connect
) -> None:
    freed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def serve(channel: Server) -> None:
        with pytest.raises(ChannelClosed, match="nothing was received"):
            await send_for_ever(channel)
        freed.set_result(None)

    site.serve = serve
    site.heartbeat_ms = QUICK_MS
    async with connecting():  # it reads only so far ahead, and says nothing
        await freed


async def test_a_busy_owner_does_not_make_its_peer_look_dead(site: Site, connecting: Connect) -> None:
    site.heartbeat_ms = QUICK_MS
    async with connecting(QUICK_MS) as channel:
        await asyncio.sleep(QUICK_MS * 8 / 1000)
        assert channel._end is None, "pings were read though nobody received"
        await channel.send(STATE)


async def test_a_stalled_loop_does_not_make_its_peer_look_dead(site: Site, connecting: Connect) -> None:
    site.heartbeat_ms = QUICK_MS
    async with connecting(QUICK_MS) as channel:
        time.sleep(QUICK_MS * 8 / 1000)  # noqa: ASYNC251 - the stall is the point
        for _ in range(10):
            await asyncio.sleep(0)
        await channel.send(STATE)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(QUICK_MS * 5 / 1000):
                await end_of(channel)
        await channel.send(STATE)


async def test_pings_are_never_received(site: Site, connecting: Connect) -> None:
    async def serve(channel: Server) -> None:
        await channel.send(Ping())
        await channel.send(AckResults(1))
        await until_closed(channel)

    site.serve = serve
    async with connecting() as channel:
        assert await channel.receive() == AckResults(1)
        with pytest.raises(TypeError):
            _ = channel.response


async def test_a_cancelled_owner_leaves_no_task(site: Site, connecting: Connect) -> None:
    connected = asyncio.Event()

    async def stay() -> None:
        async with connecting() as channel:
            connected.set()
            await channel.receive()

    async with asyncio.TaskGroup() as group:
        staying = group.create_task(stay())
        await connected.wait()
        staying.cancel()
    names = {task.get_name() for task in asyncio.all_tasks() if not task.done()}
    assert staying.cancelled()
    assert len([name for name in names if name.startswith("channel")]) <= 2, "those of the server only"


def test_waits_double_up_to_a_limit_and_start_again() -> None:
    longest = Backoff(draw=lambda: 1.0)
    assert [longest.next_seconds() for _ in range(8)] == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0]
    longest.reset()
    assert longest.next_seconds() == 0.1
    shortest = Backoff(draw=lambda: 0.0)
    assert shortest.next_seconds() == 0.05
    assert 0.05 <= Backoff().next_seconds() <= 0.1
