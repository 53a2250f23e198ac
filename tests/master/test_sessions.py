"""A session ends as its handler expects it: with the error itself, whatever tasks it had."""

from __future__ import annotations

from typing import Any

import pytest

from sliceworks.master.sessions import Sessions, until_closed
from sliceworks.protocol.channel import ChannelClosed
from sliceworks.protocol.errors import PeerError


class Peer:
    """A channel whose peer does one thing."""

    def __init__(self, does: Exception | str) -> None:
        self._does = does
        self.reason = ""

    async def receive(self) -> str:
        if isinstance(self._does, Exception):
            raise self._does
        return self._does

    async def close(self, reason: str) -> None:
        self.reason = reason


async def end_of(peer: Peer) -> None:
    def refuse(message: str) -> None:
        error = f"{message} out of place"
        raise PeerError(error)

    channel: Any = peer
    with Sessions().open() as outbox:
        await until_closed(outbox, channel, refuse)


async def test_a_closed_connection_is_no_group_of_errors() -> None:
    with pytest.raises(ChannelClosed, match="the peer is gone"):
        await end_of(Peer(ChannelClosed("the peer is gone")))


async def test_a_wrong_message_is_no_group_of_errors() -> None:
    with pytest.raises(PeerError, match="hello out of place"):
        await end_of(Peer("hello"))
