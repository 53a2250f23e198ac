"""A typed, heart-beaten websocket: what daemons, controllers and the master talk through.

Both ends are the same: messages of one direction each way, a Ping when nothing else was said, and an end
with a reason.  Two tasks belong to a channel and end with its context: one reads ahead up to a limit in
bytes, so that signs of life are seen however busy the owner is; the other beats.  A peer that sends wrong
bytes is told so in the close frame.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final, Generic, TypeAlias, TypeVar

import aiohttp
from aiohttp import web
from msgspec import Struct

from sliceworks.protocol.codec import MAX_FRAME_BYTES, Decoder, encode
from sliceworks.protocol.errors import PeerError, ProtocolError
from sliceworks.protocol.heartbeat import PERIODS_OF_SILENCE, Beat, Heartbeat
from sliceworks.protocol.messages import Ping

R = TypeVar("R")

READ_AHEAD_BYTES: Final = 4 * 1024 * 1024
MAX_REASON_BYTES: Final = 120  # a close frame holds 123
CONNECT_SECONDS: Final = 10
CLOSE_SECONDS: Final = 2
FIRST_WAIT_SECONDS: Final = 0.1
LONGEST_WAIT_SECONDS: Final = 2.0

_Socket: TypeAlias = aiohttp.ClientWebSocketResponse | web.WebSocketResponse
_ENDS: Final = {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED}
_CODE_REASONS: Final = {
    1001: "the peer is going away",
    1002: "the peer found a protocol error",
    1006: "the connection was lost",
    1009: "the peer found a message too big",
}


class ChannelClosed(ProtocolError):  # noqa: N818 - most ends are nobody's error
    """The channel is gone; `reason` is what the peer or the network gave as the cause, "" for a plain end."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason or "the channel is closed")
        self.reason = reason


class Channel(Generic[R]):
    """One end of a connection; obtained from `connect` or `accept`."""

    def __init__(self, websocket: _Socket, decoder: Decoder[R], heartbeat_ms: int) -> None:
        self._socket = websocket
        self._decoder = decoder
        self._heartbeat_ms = heartbeat_ms
        self._heartbeat = Heartbeat(heartbeat_ms, _now_ms())
        self._last_received_ms = _monotonic_ms()
        self._messages: deque[tuple[R, int]] = deque()
        self._read_ahead_bytes = 0
        self._end: ProtocolError | None = None
        self._changed = asyncio.Event()  # there is a message to receive, or the end
        self._room = asyncio.Event()  # the reader may read on
        self._room.set()

    @property
    def response(self) -> web.WebSocketResponse:
        """What the web handler that accepted this returns."""
        if not isinstance(self._socket, web.WebSocketResponse):
            message = "only an accepted channel has a response"
            raise TypeError(message)
        return self._socket

    @property
    def last_received_ms(self) -> int:
        """When the peer last gave a sign of life, on the monotonic clock."""
        return self._last_received_ms

    async def send(self, message: Struct) -> None:
        """Send one message; waits while the peer does not read.  ChannelClosed once the channel is."""
        if self._end:
            raise ChannelClosed(str(self._end))
        data = encode(message)
        if len(data) > MAX_FRAME_BYTES:
            error = f"a message of {len(data)} bytes is over the limit of {MAX_FRAME_BYTES}"
            raise ProtocolError(error)
        self._heartbeat.sent(_now_ms())
        try:
            await self._socket.send_bytes(data)
        except (ConnectionError, RuntimeError, aiohttp.ClientError) as error:
            raise ChannelClosed(str(self._end or error)) from error

    async def receive(self) -> R:
        """Wait for the next message.

        ChannelClosed at the end of the channel, PeerError if the peer broke the protocol; what came before is
        delivered first.
        """
        while not self._messages:
            if self._end:
                raise self._end
            self._changed.clear()
            await self._changed.wait()
        message, size = self._messages.popleft()
        self._read_ahead_bytes -= size
        if self._read_ahead_bytes < READ_AHEAD_BYTES:
            self._room.set()
        return message

    async def close(self, reason: str = "") -> None:
        """Tell the peer why, give it a moment to answer, and close; closing twice is no error."""
        self._finish(ChannelClosed(reason))
        await self._say_goodbye(aiohttp.WSCloseCode.OK, reason)

    async def _say_goodbye(self, code: int, reason: str) -> None:
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._socket.close(code=code, message=_clipped(reason))

    def _finish(self, end: ProtocolError) -> None:
        """The first end counts."""
        self._end = self._end or end
        self._changed.set()
        self._room.set()

    def _abort(self) -> None:
        """Cut the connection: whatever waits for the peer, also to send what is buffered, waits no longer."""
        connection = self._socket.get_extra_info("socket")
        if connection is None or connection.fileno() < 0:
            return
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as same:
            same.shutdown(socket.SHUT_RDWR)

    async def _read(self) -> None:
        """Read ahead, to the end of the channel."""
        try:
            while self._end is None:
                await self._room.wait()
                self._take(await self._socket.receive())
        except PeerError as error:
            await self._say_goodbye(aiohttp.WSCloseCode.PROTOCOL_ERROR, str(error))
            self._finish(error)
        except ChannelClosed as end:
            self._finish(end)
        finally:
            self._finish(ChannelClosed(""))

    def _take(self, frame: aiohttp.WSMessage) -> None:
        if frame.type in _ENDS:
            raise ChannelClosed(_reason_of(frame))
        if frame.type is aiohttp.WSMsgType.ERROR:
            wrong = isinstance(frame.data, aiohttp.WebSocketError)
            raise PeerError(str(frame.data)) if wrong else ChannelClosed(str(frame.data))
        if frame.type is not aiohttp.WSMsgType.BINARY:
            error = "a text frame; messages of this protocol are binary"
            raise PeerError(error)
        self._heartbeat.received(_now_ms())
        self._last_received_ms = _monotonic_ms()
        message = self._decoder.decode(frame.data)
        if not isinstance(message, Ping):
            self._keep(message, len(frame.data))

    def _keep(self, message: R, size: int) -> None:
        self._messages.append((message, size))
        self._changed.set()
        self._read_ahead_bytes += size
        if self._read_ahead_bytes >= READ_AHEAD_BYTES:
            self._room.clear()

    async def _beat(self) -> None:
        """Say that we live, and see whether the peer does."""
        while self._end is None:
            await asyncio.sleep(max(0, self._heartbeat.due - _now_ms()) / 1000)
            if not self._room.is_set():
                self._heartbeat.received(_now_ms())  # it is we who do not look
            match self._heartbeat.tick(_now_ms()):
                case Beat.PING:
                    await self._ping()
                case Beat.SILENT:
                    silence_ms = PERIODS_OF_SILENCE * self._heartbeat_ms
                    self._finish(ChannelClosed(f"nothing was received for {silence_ms} ms"))
                    self._abort()
                case Beat.NOTHING:
                    pass

    async def _ping(self) -> None:
        """A peer that does not read must not keep us from noticing its silence, hence the time limit."""
        with contextlib.suppress(TimeoutError, ChannelClosed):
            async with asyncio.timeout(self._heartbeat_ms / 2000):
                await self.send(Ping())

    @contextlib.asynccontextmanager
    async def _living(self) -> AsyncIterator[Channel[R]]:
        tasks = [
            asyncio.create_task(self._read(), name="channel-read"),
            asyncio.create_task(self._beat(), name="channel-beat"),
        ]
        try:
            yield self
        finally:
            try:
                await self.close()
            finally:
                self._abort()
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
            for task in tasks:
                if not task.cancelled():
                    task.result()  # a fault of ours must not vanish


@contextlib.asynccontextmanager
async def connect(
    session: aiohttp.ClientSession, url: str, decoder: Decoder[R], *, heartbeat_ms: int
) -> AsyncIterator[Channel[R]]:
    """A channel to `url`; ChannelClosed if it cannot be had.  It is closed when the context ends."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            websocket = await session.ws_connect(
                url,
                compress=0,
                max_msg_size=MAX_FRAME_BYTES + 1,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS),
            )
    except (TimeoutError, OSError, aiohttp.ClientError) as error:
        reason = f"cannot connect to {url}: {error or 'no answer'}"
        raise ChannelClosed(reason) from error
    async with Channel(websocket, decoder, heartbeat_ms)._living() as channel:
        yield channel


@contextlib.asynccontextmanager
async def accept(
    request: web.Request, decoder: Decoder[R], *, heartbeat_ms: int
) -> AsyncIterator[Channel[R]]:
    """The other end, in a web handler, which returns `channel.response` after the context has ended."""
    websocket = web.WebSocketResponse(timeout=CLOSE_SECONDS, compress=False, max_msg_size=MAX_FRAME_BYTES + 1)
    try:
        await websocket.prepare(request)
    except ConnectionError as error:
        raise ChannelClosed(str(error)) from error
    async with Channel(websocket, decoder, heartbeat_ms)._living() as channel:
        yield channel


class Backoff:
    """How long to wait before the next try: doubling, with jitter so that peers come back one by one."""

    def __init__(self, draw: Callable[[], float] = random.random) -> None:
        self._draw = draw
        self._next_seconds = FIRST_WAIT_SECONDS

    def next_seconds(self) -> float:
        """Between half and the whole of a span that doubles with each call, up to a limit."""
        span = self._next_seconds
        self._next_seconds = min(span * 2, LONGEST_WAIT_SECONDS)
        return span * (1 + self._draw()) / 2

    def reset(self) -> None:
        """The try succeeded: start again from the shortest wait."""
        self._next_seconds = FIRST_WAIT_SECONDS


def stay_cancelled() -> None:
    """CancelledError if this task was cancelled, and a task group lost that for an error of one of its tasks.

    Before Python 3.13 a group does: a loop that catches the error and tries again would never end.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _reason_of(frame: aiohttp.WSMessage) -> str:
    if frame.type is not aiohttp.WSMsgType.CLOSE:
        return _CODE_REASONS[1006]
    return frame.extra or _CODE_REASONS.get(frame.data, "")


def _clipped(reason: str) -> bytes:
    """What fits in a close frame, cut between characters."""
    return reason.encode()[:MAX_REASON_BYTES].decode(errors="ignore").encode()


def _now_ms() -> int:
    """A clock that also counts the time in which the machine was suspended."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000
