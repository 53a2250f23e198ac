"""What master and controller are told of a pool's workers: all at once, but idle and busy only now and then.

With short slices workers go idle and busy thousands of times a second; nobody can use that, and telling it
would cost more than the slices.
"""

from __future__ import annotations

from typing import Final

from sliceworks.protocol.messages import LinkState
from sliceworks.worker.contact import NEVER, Contact
from sliceworks.worker.crew import Crew
from sliceworks.worker.events import Effect, NodeChanged, Peer, SendLinkState
from sliceworks.worker.starts import Starts

ACTIVITY_MS: Final = 500


class Reports:
    """Knows what was told last."""

    def __init__(self, crew: Crew, *, contact: Contact, starts: Starts) -> None:
        self.changed = True
        """More than idle and busy has changed since the last report."""
        self.activity_changed = False
        self._activity_at = 0
        self._crew = crew
        self._contact = contact
        self._starts = starts
        self._told: LinkState | None = None
        self._told_window = 0

    @property
    def due_at(self) -> int:
        """When idle and busy are to be told."""
        return self._activity_at if self.activity_changed else NEVER

    def told_window(self, window: int) -> None:
        """Results carried this window to the controller."""
        self._told_window = window

    def repeat(self) -> None:
        """Tell the controller its LinkState with the next report, changed or not."""
        self._told = None

    def report(self, window: int, now: int) -> list[Effect]:
        """What is due now."""
        effects: list[Effect] = []
        if self.changed or now >= self.due_at:
            self.changed = self.activity_changed = False
            self._activity_at = now + ACTIVITY_MS
            effects.append(NodeChanged())
        elif window == self._told_window and self._told is not None:
            return effects
        if self._contact.reaches(Peer.CONTROLLER):
            effects += self.link_state(window)
        return effects

    def link_state(self, window: int) -> list[Effect]:
        """The LinkState, unless the controller knows it."""
        crew, starts = self._crew, self._starts
        state = LinkState(
            available=len(crew.ready),
            active=crew.active(),
            joined=crew.joined,
            disconnected=crew.disconnected,
            window=window,
            start_failures=starts.failures,
            start_error=starts.error,
        )
        known = state == self._told and window == self._told_window
        self._told = state
        self._told_window = window
        return [] if known else [SendLinkState(state)]
