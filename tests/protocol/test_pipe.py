"""Frames arrive whole and in order however they are cut; whatever else arrives ends one pipe only."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from sliceworks.protocol.codec import MAX_FRAME_BYTES, Decoder, encode
from sliceworks.protocol.errors import PeerError
from sliceworks.protocol.messages import (
    DaemonToHost,
    HostFailed,
    HostFinish,
    HostReady,
    HostToDaemon,
    RunSlices,
)
from sliceworks.protocol.pipe import AsyncPipe, PipeClosed, SyncPipe, _Frames

Pair = tuple[socket.socket, socket.socket]
BIG = RunSlices([1] * 6, [1] * 6, [bytes(1_000_000)] * 6)  # more than a socket holds


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def frame(message: Struct) -> bytes:
    body = encode(message)
    return len(body).to_bytes(4, "little") + body


class Owner:
    """Who an AsyncPipe calls."""

    def __init__(self) -> None:
        self.messages: list[HostToDaemon] = []
        self.arrived = asyncio.Event()
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def on_message(self, message: HostToDaemon) -> None:
        self.messages.append(message)
        self.arrived.set()

    async def next(self) -> HostToDaemon:
        while not self.messages:
            self.arrived.clear()
            await self.arrived.wait()
        return self.messages.pop(0)


@asynccontextmanager
async def opened(sock: socket.socket) -> AsyncIterator[tuple[AsyncPipe[HostToDaemon], Owner]]:
    owner = Owner()
    decoder: Decoder[HostToDaemon] = Decoder(HostToDaemon)
    pipe = await AsyncPipe.open(sock, decoder, on_message=owner.on_message, on_closed=owner.closed.set_result)
    async with asyncio.timeout(30):
        yield pipe, owner
        pipe.close()
        await owner.closed


def send_all(child: SyncPipe[DaemonToHost], messages: Sequence[HostFailed]) -> None:
    for message in messages:
        child.send(message)


def child_side(sock: socket.socket) -> SyncPipe[DaemonToHost]:
    return SyncPipe(sock, Decoder(DaemonToHost))


async def test_messages_go_both_ways_in_order(pair: Pair) -> None:
    child = child_side(pair[1])
    async with opened(pair[0]) as (pipe, owner):
        for number in range(3):
            pipe.send(RunSlices([number], [1], [b"{}"]))
        assert [(await asyncio.to_thread(child.receive)) for _ in range(3)] == [
            RunSlices([number], [1], [b"{}"]) for number in range(3)
        ]
        child.send(HostReady())
        child.send(HostFailed("why"))
        assert await owner.next() == HostReady()
        assert await owner.next() == HostFailed("why")


async def test_a_message_larger_than_the_socket_buffers_arrives(pair: Pair) -> None:
    child = child_side(pair[1])
    big = HostFailed("x" * 100_000)
    async with opened(pair[0]) as (pipe, owner):
        pipe.send(BIG)
        assert await asyncio.to_thread(child.receive) == BIG
        pipe.send(HostFinish())
        assert await asyncio.to_thread(child.receive) == HostFinish()
        await asyncio.to_thread(send_all, child, [big] * 50)
        assert [await owner.next() for _ in range(50)] == [big] * 50


async def test_nothing_is_called_before_open_has_returned(pair: Pair) -> None:
    pair[1].sendall(frame(HostReady()))
    pair[1].close()
    async with opened(pair[0]) as (_, owner):
        assert owner.messages == []
        assert await owner.closed == ""
        assert owner.messages == [HostReady()]


async def test_no_message_comes_after_our_own_close(pair: Pair) -> None:
    pair[1].sendall(frame(HostReady()) * 3)
    seen = []
    closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def on_message(message: HostToDaemon) -> None:
        seen.append(message)
        pipe.close()
        pipe.send(HostFinish())

    decoder: Decoder[HostToDaemon] = Decoder(HostToDaemon)
    pipe = await AsyncPipe.open(pair[0], decoder, on_message=on_message, on_closed=closed.set_result)
    assert await closed == ""
    assert seen == [HostReady()]
    assert pair[1].recv(100) == b""


async def test_close_sends_what_is_queued(pair: Pair) -> None:
    child = child_side(pair[1])
    async with opened(pair[0]) as (pipe, owner):
        pipe.send(BIG)
        pipe.close()
        pipe.close()
        assert await asyncio.to_thread(child.receive) == BIG
        assert await owner.closed == ""
        with pytest.raises(PipeClosed):
            child.receive()


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"\x01\0\0\0\xc1", "not a message of this protocol"),
        (frame(HostFinish()), "not a message of this protocol"),
        ((MAX_FRAME_BYTES + 1).to_bytes(4, "little"), "is over the limit"),
        (frame(HostReady())[:-1], "the stream ended 5 bytes into a frame"),
        (b"\x01\0", "the stream ended 2 bytes into a frame"),
    ],
)
async def test_wrong_bytes_close_the_pipe_with_the_reason(pair: Pair, sent: bytes, reason: str) -> None:
    async with opened(pair[0]) as (pipe, owner):
        pair[1].sendall(frame(HostReady()) + sent)
        pair[1].shutdown(socket.SHUT_WR)
        assert reason in await owner.closed
        assert owner.messages == [HostReady()]
        pipe.send(HostFinish())


async def test_a_child_that_dies_with_unread_messages_closes_the_pipe_once_as_any_death(pair: Pair) -> None:
    async with opened(pair[0]) as (pipe, owner):
        pipe.send(BIG)
        pair[1].close()
        assert await owner.closed == ""
        pipe.send(BIG)


@given(st.lists(st.binary(max_size=50)), st.lists(st.integers(1, 30)))
def test_frames_are_found_however_the_stream_is_cut(bodies: list[bytes], cuts: list[int]) -> None:
    messages = [RunSlices([1], [1], [body]) for body in bodies]
    stream = b"".join(frame(message) for message in messages)
    received: list[DaemonToHost] = []
    frames: _Frames[DaemonToHost] = _Frames(Decoder(DaemonToHost), received.append, lambda _: None)
    frames.start()
    for cut in cuts:
        frames.data_received(stream[:cut])
        stream = stream[cut:]
    frames.data_received(stream)
    assert received == messages


def test_poll_sees_what_is_there_to_read(pair: Pair) -> None:
    child = child_side(pair[1])
    assert not child.poll()
    pair[0].sendall(frame(HostFinish()) * 2)
    assert child.poll(10)
    assert child.receive() == HostFinish()
    assert child.poll(), "the second message was read ahead"
    assert child.receive() == HostFinish()
    assert not child.poll()
    assert child.fileno() == pair[1].fileno()
    pair[0].close()
    assert child.poll(), "the end of the stream"
    with pytest.raises(PipeClosed, match=r"^$"):
        child.receive()


def test_the_child_waits_for_a_daemon_that_does_not_read(pair: Pair) -> None:
    child = child_side(pair[1])
    sender = threading.Thread(target=child.send, args=(BIG,))
    sender.start()
    daemon = child_side(pair[0])
    assert daemon.receive() == BIG
    sender.join()


def test_the_child_is_told_what_is_wrong(pair: Pair) -> None:
    child = child_side(pair[1])
    pair[0].sendall(frame(HostReady()))
    with pytest.raises(PeerError, match="not a message"):
        child.receive()
    pair[0].sendall((MAX_FRAME_BYTES + 1).to_bytes(4, "little"))
    with pytest.raises(PeerError, match="over the limit"):
        child.receive()


def test_the_child_of_a_dead_daemon_is_told(pair: Pair) -> None:
    child = child_side(pair[1])
    pair[0].sendall(b"\x05\0\0\0\x91")
    pair[0].close()
    with pytest.raises(PipeClosed, match="the stream ended 1 bytes into a frame"):
        child.receive()
    with pytest.raises(PipeClosed):
        child.send(BIG)


def test_a_message_over_the_limit_is_not_sent(pair: Pair) -> None:
    child = child_side(pair[1])
    with pytest.raises(PeerError, match="over the limit"):
        child.send(RunSlices([1] * 40, [1] * 40, [bytes(1_000_000)] * 40))
