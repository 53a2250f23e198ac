"""When to say that one lives, and when to believe that the peer does not; pure.

A process whose own timer comes late (a stalled loop, a suspended machine) knows nothing about its peer, which
may have sent all along.  So a late tick never blames the peer; it gives it a full new period.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

PERIODS_OF_SILENCE: Final = 3


class Beat(Enum):
    """What a tick asks for."""

    NOTHING = auto()
    PING = auto()  # we were silent for a heartbeat
    SILENT = auto()  # the peer was, for three


class Heartbeat:
    """The two clocks of one connection; times in milliseconds of a clock that also counts suspended time."""

    def __init__(self, heartbeat_ms: int, now: int) -> None:
        self._heartbeat_ms = heartbeat_ms
        self._sent = now
        self._received = now
        self._due = now

    @property
    def due(self) -> int:
        """When the next tick is to be."""
        return self._due

    def sent(self, now: int) -> None:
        """Something was sent."""
        self._sent = now

    def received(self, now: int) -> None:
        """Something was received, or we were too busy to look."""
        self._received = now

    def tick(self, now: int) -> Beat:
        """Judge both sides; to be called at `due`, and never blaming the peer when called much later."""
        if now - self._due > self._heartbeat_ms:
            self._received = now
        beat = self._judge(now)
        if beat is Beat.PING:
            self._sent = now
        next_ping = self._sent + self._heartbeat_ms
        self._due = min(next_ping, self._received + PERIODS_OF_SILENCE * self._heartbeat_ms)
        return beat

    def _judge(self, now: int) -> Beat:
        if now - self._received >= PERIODS_OF_SILENCE * self._heartbeat_ms:
            return Beat.SILENT
        if now - self._sent >= self._heartbeat_ms:
            return Beat.PING
        return Beat.NOTHING
