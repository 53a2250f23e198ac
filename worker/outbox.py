"""What waits to be sent on one connection, in order.

It ends with its connection: what the peer must get in any case is kept elsewhere, and sent again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

from msgspec import Struct

from sliceworks.protocol.channel import Channel

R = TypeVar("R")


class Outbox(Generic[R]):
    """The sending half of a channel, for senders that cannot wait."""

    def __init__(self, channel: Channel[R]) -> None:
        self._channel = channel
        self._messages: deque[Struct] = deque()
        self._filled = asyncio.Event()

    def put(self, message: Struct) -> None:
        """Send this after what was put before."""
        self._messages.append(message)
        self._filled.set()

    async def send_all(self) -> None:
        """Send whatever is put, until the channel is closed, which raises ChannelClosed."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._messages:
                await self._channel.send(self._messages.popleft())
