"""Messages to bytes and back, with every limit checked on the way in.

The bytes are msgpack, always.  On the wire msgspec writes them and checks them against the message types in
one pass; a child's start is packed with the `msgpack` package (docs/adr/0003-codec.md has the measurement).
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgpack
import msgspec

from sliceworks.protocol.errors import PeerError

M = TypeVar("M")
S = TypeVar("S", bound=msgspec.Struct)

MAX_FRAME_BYTES = 32 * 1024 * 1024

_encoder = msgspec.msgpack.Encoder()


def encode(message: msgspec.Struct) -> bytes:
    """The bytes of one message."""
    return _encoder.encode(message)


class Decoder(Generic[M]):
    """Reads the messages of one direction: `Decoder(messages.NodeToMaster)`."""

    def __init__(self, union: Any, max_bytes: int = MAX_FRAME_BYTES) -> None:
        self._decoder: msgspec.msgpack.Decoder[M] = msgspec.msgpack.Decoder(union)
        self._max_bytes = max_bytes

    def decode(self, data: bytes | memoryview) -> M:
        """The message in `data`; PeerError if it is none of this direction, or too large."""
        if len(data) > self._max_bytes:
            message = f"a frame of {len(data)} bytes is over the limit of {self._max_bytes}"
            raise PeerError(message)
        try:
            return self._decoder.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            message = f"not a message of this protocol: {error}"
            raise PeerError(message) from error


def pack(start: msgspec.Struct) -> bytes:
    """What a child is started with, as plain msgpack (a map): parent and child are the same version."""
    packed: bytes = msgpack.packb(msgspec.to_builtins(start, builtin_types=(bytes,)))
    return packed


def unpack(data: bytes, kind: type[S]) -> S:
    """Read what `pack` made; PeerError if it is no `kind`."""
    try:
        return msgspec.convert(msgpack.unpackb(data, strict_map_key=False), kind)
    except (msgspec.MsgspecError, ValueError, msgpack.UnpackException) as error:
        message = f"not a {kind.__name__}: {error}"
        raise PeerError(message) from error
