"""Whatever arrives is a message of the direction, or a PeerError; nothing else ever comes out."""

from __future__ import annotations

import contextlib

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sliceworks.protocol import messages
from sliceworks.protocol.codec import Decoder, encode, pack, unpack
from sliceworks.protocol.errors import PeerError

decoder: Decoder[messages.DaemonToController] = Decoder(messages.DaemonToController)

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(0, 99), inner),
    max_leaves=20,
)


@given(st.binary())
def test_no_bytes_do_more_than_raise_peer_error(data: bytes) -> None:
    with contextlib.suppress(PeerError):
        decoder.decode(data)


@given(st.integers(0, 60), st.lists(values))
def test_no_array_does_more_than_raise_peer_error(tag: int, fields: list[object]) -> None:
    with contextlib.suppress(PeerError):
        decoder.decode(msgpack.packb([tag, *fields]))


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(PeerError):
        decoder.decode(b"\x91" * 100_000)


def test_a_message_of_another_direction_is_refused() -> None:
    with pytest.raises(PeerError, match="not a message of this protocol"):
        decoder.decode(encode(messages.AckResults(1)))


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(PeerError, match="columns of different length"):
        decoder.decode(msgpack.packb([30, 1, "ex", 1, b"", b"", "node", "inc", "host", [1, 2], [1]]))


def test_too_many_bytes_are_refused_unread() -> None:
    small: Decoder[messages.DaemonToController] = Decoder(messages.DaemonToController, max_bytes=10)
    with pytest.raises(PeerError, match="a frame of 11 bytes is over the limit of 10"):
        small.decode(bytes(11))


def test_limits_of_fields_are_checked() -> None:
    host: Decoder[messages.DaemonToHost] = Decoder(messages.DaemonToHost)
    request = bytes(messages.MAX_REQUEST_BYTES)
    assert host.decode(encode(messages.RunSlices([1], [1], [request]))) is not None
    with pytest.raises(PeerError):
        host.decode(encode(messages.RunSlices([1], [1], [request + b"x"])))


def test_fields_that_a_newer_peer_adds_are_ignored_and_missing_ones_take_their_defaults() -> None:
    master: Decoder[messages.NodeToMaster] = Decoder(messages.NodeToMaster)
    assert master.decode(msgpack.packb([11, [], [], 7, True, "new"])) == messages.NodeState([], [], 7, True)
    assert master.decode(msgpack.packb([11, [], []])) == messages.NodeState([], [])


def test_what_a_child_is_started_with_is_plain_msgpack_and_reads_back() -> None:
    info = messages.WorkerInfo(1, 2, "ex", "busy")
    assert unpack(pack(info), messages.WorkerInfo) == info
    assert msgpack.unpackb(pack(info)) is not None


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x80", msgpack.packb([1, 2]), b"\x01\x01"])
def test_a_child_that_is_started_with_something_else_is_told(data: bytes) -> None:
    with pytest.raises(PeerError, match="not a WorkerInfo"):
        unpack(data, messages.WorkerInfo)
