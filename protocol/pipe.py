"""Typed messages over the socketpair between a daemon and one child.

A frame is its length (4 bytes, little endian) and the codec's bytes.  The child's side blocks, because a
worker does one thing at a time; the daemon's side is called by the loop, because every slice of a node passes
through it.  Whatever a child sends, the worst that happens is that its own pipe closes with a reason.
"""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable
from typing import Generic, TypeVar, cast

from msgspec import Struct

from sliceworks.protocol.codec import MAX_FRAME_BYTES, Decoder, encode
from sliceworks.protocol.errors import PeerError, ProtocolError

M = TypeVar("M")

HEADER_BYTES = 4
READ_BYTES = 256 * 1024


class PipeClosed(ProtocolError):  # noqa: N818 - a plain end of stream is no error of anybody
    """The other end of the pipe is gone; the text is empty for a plain end of stream."""


class SyncPipe(Generic[M]):
    """The child's side; blocking, for one thread."""

    def __init__(self, sock: socket.socket, decoder: Decoder[M]) -> None:
        self._sock = sock
        self._decoder = decoder
        self._buffer = bytearray()
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)

    def send(self, message: Struct) -> None:
        """Write one message, waiting while the peer does not read; PipeClosed if it is gone."""
        try:
            self._sock.sendall(_frame(message))
        except OSError as error:
            raise PipeClosed(str(error)) from error

    def receive(self) -> M:
        """Wait for one message; PipeClosed at the end of the stream, PeerError for bytes that are none."""
        length = int.from_bytes(self._take(HEADER_BYTES), "little")
        _check_length(length)
        return self._decoder.decode(self._take(length))

    def poll(self, timeout_seconds: float = 0) -> bool:
        """Whether a whole or partial frame, or the end of the stream, is there to read within the time."""
        return bool(self._buffer) or bool(self._poll.poll(timeout_seconds * 1000))

    def fileno(self) -> int:
        """The descriptor of the socket; what was read ahead shows in `poll` only."""
        return self._sock.fileno()

    def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._buffer += self._read()
        taken = bytes(memoryview(self._buffer)[:count])
        del self._buffer[:count]
        return taken

    def _read(self) -> bytes:
        try:
            chunk = self._sock.recv(READ_BYTES)
        except OSError as error:
            raise PipeClosed(str(error)) from error
        if not chunk:
            raise PipeClosed(_cut_off(len(self._buffer)))
        return chunk


class AsyncPipe(Generic[M]):
    """The daemon's side: `on_message` and then, exactly once, `on_closed` are called by the loop.

    Neither is called before `open` has returned, and `on_message` not after `close`.  Bytes that are no
    message close the pipe; `on_closed` gets the reason, "" for a plain end of stream or our own `close`.
    """

    def __init__(self, transport: asyncio.Transport, protocol: _Frames[M]) -> None:
        self._transport = transport
        self._protocol = protocol

    @classmethod
    async def open(
        cls,
        sock: socket.socket,
        decoder: Decoder[M],
        *,
        on_message: Callable[[M], None],
        on_closed: Callable[[str], None],
    ) -> AsyncPipe[M]:
        """Take over `sock`, our end of the socketpair."""
        sock.settimeout(0)
        loop = asyncio.get_running_loop()
        protocol = _Frames(decoder, on_message, on_closed)
        transport, _ = await loop.create_unix_connection(lambda: protocol, sock=sock)
        loop.call_soon(protocol.start)
        return cls(transport, protocol)

    def send(self, message: Struct) -> None:
        """Queue one message; never waits, and does nothing once the pipe is closed."""
        if not self._protocol.closing:
            self._transport.write(_frame(message))

    def close(self) -> None:
        """Send what is queued, then close."""
        self._protocol.closing = True
        self._transport.close()


class _Frames(asyncio.Protocol, Generic[M]):
    """Cuts the stream into frames; bytes of an unfinished one wait as chunks, joined when it is whole."""

    def __init__(
        self, decoder: Decoder[M], on_message: Callable[[M], None], on_closed: Callable[[str], None]
    ) -> None:
        self.closing = False
        self._decode = decoder.decode
        self._on_message = on_message
        self._on_closed = on_closed
        self._reason = ""
        self._chunks: list[bytes] = []
        self._waiting_bytes = 0
        self._needed_bytes = 0
        self._transport: asyncio.Transport | None = None
        self._started = False
        self._lost = False
        self._error: Exception | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called before `AsyncPipe.open` has returned, as `data_received` may be."""
        self._transport = cast("asyncio.Transport", transport)

    def start(self) -> None:
        """The owner has its pipe: deliver what came before."""
        self._started = True
        early, self._chunks = b"".join(self._chunks), []
        self.data_received(early)
        if self._lost:
            self.connection_lost(self._error)

    def data_received(self, data: bytes) -> None:
        """Deliver every whole frame; keep the rest."""
        if not self._started:
            self._chunks.append(data)
            return
        if self._waiting_bytes:
            self._chunks.append(data)
            self._waiting_bytes += len(data)
            if self._waiting_bytes < self._needed_bytes:
                return
            data = b"".join(self._chunks)
            self._chunks = []
        try:
            done = self._deliver(data)
        except PeerError as error:
            self._fail(str(error))
            return
        self._waiting_bytes = len(data) - done
        if self._waiting_bytes:
            self._chunks.append(data[done:] if done else data)

    def _deliver(self, data: bytes) -> int:
        """How many bytes of `data` were whole frames; sets how many are needed to go on."""
        view = memoryview(data)
        size = len(data)
        start = 0
        while not self.closing:
            body = start + HEADER_BYTES
            if body > size:
                self._needed_bytes = HEADER_BYTES
                break
            length = int.from_bytes(view[start:body], "little")
            end = body + length
            if end > size:
                _check_length(length)
                self._needed_bytes = HEADER_BYTES + length
                break
            self._on_message(self._decode(view[body:end]))
            start = end
        return start

    def _fail(self, reason: str) -> None:
        self._reason = reason
        self.closing = True
        if self._transport:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the owner, once, why."""
        if not self._started:
            self._lost, self._error = True, exc
            return
        is_gone = exc is None or isinstance(exc, ConnectionError)  # a reset: it died with something unread
        reason = self._reason or ("" if is_gone else f"{exc}")
        if not reason and not self.closing:
            reason = _cut_off(self._waiting_bytes)
        self.closing = True
        self._on_closed(reason)


def _frame(message: Struct) -> bytes:
    body = encode(message)
    _check_length(len(body))
    return len(body).to_bytes(HEADER_BYTES, "little") + body


def _check_length(length: int) -> None:
    if length > MAX_FRAME_BYTES:
        message = f"a frame of {length} bytes is over the limit of {MAX_FRAME_BYTES}"
        raise PeerError(message)


def _cut_off(left_bytes: int) -> str:
    return f"the stream ended {left_bytes} bytes into a frame" if left_bytes else ""
