"""Messages out of the bytes of a websocket, as a trace of system calls shows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from sliceworks.protocol.codec import Decoder
from sliceworks.protocol.errors import PeerError

R = TypeVar("R")

_BINARY = 2


class Frames(Generic[R]):
    """One direction of many connections; what is no message of this direction is passed over."""

    def __init__(self, decoder: Decoder[R]) -> None:
        self._decoder = decoder
        self._streams: dict[tuple[int, str], bytearray] = {}

    def take(self, key: tuple[int, str], data: bytes) -> Iterator[R]:
        """The messages that these bytes of a connection complete."""
        stream = self._streams.setdefault(key, bytearray())
        stream += data
        head, found, rest = bytes(stream).partition(b"\r\n\r\n")
        if head.startswith((b"GET ", b"HTTP/")):
            if not found:
                return
            stream[:] = rest
        while frame := _first_frame(stream):
            opcode, payload, length = frame
            del stream[:length]
            if opcode == _BINARY:
                try:
                    yield self._decoder.decode(payload)
                except PeerError:
                    continue


def _first_frame(stream: bytearray) -> tuple[int, bytes, int] | None:
    """Opcode, payload and length of the frame at the beginning; None if it is not whole yet."""
    if len(stream) < 2:
        return None
    masked, size, at = bool(stream[1] & 0x80), stream[1] & 0x7F, 2
    if size >= 126:
        width = 2 if size == 126 else 8
        size, at = int.from_bytes(stream[2 : 2 + width]), 2 + width
    mask = bytes(stream[at : at + 4]) if masked else bytes(4)
    at += 4 * masked
    if len(stream) < at + size:
        return None
    payload = bytes(byte ^ mask[place % 4] for place, byte in enumerate(stream[at : at + size]))
    return stream[0] & 0x0F, payload, at + size
