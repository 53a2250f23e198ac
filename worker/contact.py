"""Whether a pool still has anybody to work for; cut off: master and controller are silent for too long."""

from __future__ import annotations

from typing import Final

from sliceworks.worker.events import Peer

NEVER: Final = 1 << 62


class Contact:
    """Who is out of reach, and since when; at first the controller, as it is the master that starts pools."""

    def __init__(self, timeout_ms: int, now: int) -> None:
        self._timeout_ms = timeout_ms
        self._silent_since: dict[Peer, int] = {Peer.CONTROLLER: now}

    def found(self, peer: Peer) -> None:
        """The peer answers."""
        self._silent_since.pop(peer, None)

    def lost(self, peer: Peer, now: int) -> None:
        """The peer does not answer any more."""
        self._silent_since.setdefault(peer, now)

    def reaches(self, peer: Peer) -> bool:
        """Whether the peer answers."""
        return peer not in self._silent_since

    def cut_off_at(self) -> int:
        """When the workers must end if both stay silent; NEVER while one of them answers."""
        if len(self._silent_since) < len(Peer):
            return NEVER
        return max(self._silent_since.values()) + self._timeout_ms
