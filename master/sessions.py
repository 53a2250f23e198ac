"""The websockets of nodes and controllers: what waits to be sent on each.

Messages to a peer are whole, so a newer one of a kind replaces one that is not sent yet: an outbox never holds more than one
of each, however slow the peer is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from msgspec import Struct

from sliceworks.protocol.channel import Channel, ChannelClosed
from sliceworks.protocol.errors import PeerError
from sliceworks.protocol.messages import Refused


M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class _Drop:
    reason: str


class Outbox:
    """What one session has to send."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._waiting: dict[type, Struct | _Drop] = {}
        self._filled = asyncio.Event()

    def put(self, message: Struct) -> None:
        """Send this next, instead of an older one of its kind."""
        self._waiting[type(message)] = message
        self._filled.set()

    def drop(self, reason: str) -> None:
        """Close the session after what waits."""
        self._waiting[_Drop] = _Drop(reason)
        self._filled.set()

    async def take(self) -> Struct | _Drop:
        """The oldest that waits."""
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        kind = next(iter(self._waiting))
        return self._waiting.pop(kind)


class Sessions:
    """All open sessions, by number; a number is never used again."""

    def __init__(self) -> None:
        self._outboxes: dict[int, Outbox] = {}
        self._last = 0

    @contextlib.contextmanager
    def open(self) -> Iterator[Outbox]:
        """A session for as long as the context lasts."""
        self._last += 1
        outbox = self._outboxes[self._last] = Outbox(self._last)
        try:
            yield outbox
        finally:
            del self._outboxes[outbox.number]

    def send(self, session: int, message: Struct) -> None:
        """Queue a message; nothing happens if the session is gone."""
        if outbox := self._outboxes.get(session):
            outbox.put(message)

    def drop(self, session: int, reason: str) -> None:
        """Close a session, if it is not gone."""
        if outbox := self._outboxes.get(session):
            outbox.drop(reason)


async def until_closed(outbox: Outbox, channel: Channel[M], take: Callable[[M], None]) -> None:
    """Send what the outbox gets and take what comes, until one of them ends: ChannelClosed or PeerError."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_send_all(outbox, channel), name=f"to session {outbox.number}")
            while True:
                take(await channel.receive())
    except* (ChannelClosed, PeerError) as errors:
        raise errors.exceptions[0] from None


async def refuse(channel: Channel[M], reason: str) -> None:
    """Say why, and close."""
    await channel.send(Refused(reason))
    await channel.close(reason)


async def _send_all(outbox: Outbox, channel: Channel[M]) -> None:
    while True:
        message = await outbox.take()
        if isinstance(message, _Drop):
            await refuse(channel, message.reason)
        else:
            await channel.send(message)
