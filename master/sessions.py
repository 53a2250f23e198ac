"""The websockets of nodes and controllers: what waits to be sent on each.

Messages to a peer are whole, so a newer one of a kind replaces one that is not sent yet: an outbox never
holds more than one of each, however slow the peer is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from msgspec import Struct

from sliceworks.protocol.channel import Channel, ChannelClosed
from sliceworks.protocol.errors import PeerError
from sliceworks.protocol.messages import Refused

M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class _Refuse:
    reason: str


@dataclass(frozen=True, slots=True)
class _Close:
    reason: str


_Outgoing: TypeAlias = Struct | _Refuse | _Close


class Outbox:
    """What one session has to send."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._waiting: dict[type, _Outgoing] = {}
        self._filled = asyncio.Event()

    def put(self, message: _Outgoing) -> None:
        """Send this after what waits, instead of an older one of its kind."""
        self._waiting[type(message)] = message
        self._filled.set()

    async def take(self) -> _Outgoing:
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
        """Tell the peer of a session that it is refused, and close it, if it is not gone."""
        if outbox := self._outboxes.get(session):
            outbox.put(_Refuse(reason))

    def close_all(self, reason: str) -> None:
        """Close every session; the peers may come back."""
        for outbox in self._outboxes.values():
            outbox.put(_Close(reason))


async def until_closed(outbox: Outbox, channel: Channel[M], take: Callable[[M], None]) -> None:
    """Send what the outbox gets and take what comes, until one of them ends: ChannelClosed or PeerError."""
    ends: list[Exception] = []
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_send_all(outbox, channel), name=f"to session {outbox.number}")
            while True:
                take(await channel.receive())
    except* (ChannelClosed, PeerError) as errors:
        ends.extend(errors.exceptions)
    raise ends[0]  # out here: what is raised in an `except*` comes out as a group again


async def refuse(channel: Channel[M], reason: str) -> None:
    """Say why, and close."""
    await channel.send(Refused(reason))
    await channel.close(reason)


async def _send_all(outbox: Outbox, channel: Channel[M]) -> None:
    while True:
        match await outbox.take():
            case _Refuse(reason):
                await refuse(channel, reason)
            case _Close(reason):
                await channel.close(reason)
            case message:
                await channel.send(message)
