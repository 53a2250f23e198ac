"""The worker daemons of an execution: which are connected, which are silent, what they said of their workers.

A link is one incarnation of a daemon; a connection is one websocket of it.  A new connection of the same
incarnation takes the link over (frames of the older connection are dropped, because they name it no more); a
new incarnation ends the old one's leases at once; silence for `lease_timeout` ends them too.
"""

from __future__ import annotations

from typing import Final

from sliceworks.master.execution.journal import Journal
from sliceworks.master.execution.leases import LeaseTable
from sliceworks.master.execution.model import NO_WORKERS, Link, Now, Rules
from sliceworks.master.store.batch import NodeRow
from sliceworks.protocol.messages import LinkHello, LinkState

HURRY_MS: Final = 1_000


class LinkTable:
    """All links that hold leases or are connected."""

    def __init__(
        self, known: list[NodeRow], *, leases: LeaseTable, journal: Journal, rules: Rules, now: Now
    ) -> None:
        self._leases = leases
        self._journal = journal
        self._patience_ms = rules.lease_timeout_ms
        self._links: dict[str, Link] = {}  # by incarnation
        self._by_connection: dict[int, Link] = {}
        self._uncounted: set[Link] = (
            set()
        )  # links whose first report is a baseline: their workers joined before
        self._keys: dict[str, int] = {}  # incarnation -> key in the store; keys count from 1 without gaps
        for row in known:
            self._restore(row, now)
        self.available = 0
        self.active = 0
        self.windows = 0

    @property
    def start_error(self) -> str:
        """Why workers do not start, or wait, where that is so."""
        told = [link for link in self._links.values() if link.state.start_error]
        if not told:
            return ""
        first = max(told, key=lambda link: link.state.start_failures)
        what = "do not start" if first.state.start_failures else "wait"
        return f"workers {what} on {first.hostname}: {first.state.start_error}"

    @property
    def unbalanced(self) -> bool:
        """Some daemon has idle workers while another has slices waiting."""
        links = [link for link in self._links.values() if link.connection is not None]
        idle = any(link.outstanding < link.state.available for link in links)
        return idle and any(link.outstanding > link.state.available and not link.recalling for link in links)

    @property
    def next_due_ms(self) -> int | None:
        """When the leases of the first silent link end."""
        silent = [link.silent_since_ms for link in self._links.values() if link.connection is None]
        return min(silent) + self._patience_ms if silent else None

    def all(self) -> list[Link]:
        """Every link, silent ones too."""
        return list(self._links.values())

    def by_connection(self, connection: int) -> Link | None:
        """The link that speaks on this connection; None if another connection has taken it over."""
        return self._by_connection.get(connection)

    def of_node(self, node: int | None) -> Link:
        """The link that an earlier generation knew under this key."""
        return next(link for link in self._links.values() if link.node == node)

    def opened(self, connection: int, hello: LinkHello, now: Now) -> list[int]:
        """A daemon said hello: its newest incarnation is the only one left.

        Returns the connections that mean nothing from now on; who is on one of them has to be told, or would
        take it for its link.  That is this connection itself if a later hello of the incarnation was faster.
        """
        replaced = self._end_older(hello, now)
        link = self._links.get(hello.incarnation) or self._add(hello)
        if hello.number < link.hello:
            return [connection]
        link.hello = hello.number
        if link.connection is not None:
            replaced.append(link.connection)
            self._by_connection.pop(link.connection, None)
        if link.state.joined or link in self._uncounted:
            self._uncounted.add(link)
        link.connection = connection
        link.recalling = False
        self._by_connection[connection] = link
        self._leases.keep_only(link, hello.held_seqs, hello.held_epochs, now=now)
        return replaced

    def closed(self, connection: int, now: Now) -> Link | None:
        """The websocket is gone; the link is silent, unless another connection has it already."""
        link = self._by_connection.pop(connection, None)
        if link is None or link.connection != connection:
            return None
        self._journal.head.workers_disconnected += link.state.available
        self._journal.touch()
        link.connection = None
        link.silent_since_ms = now.monotonic_ms
        self._set_state(link, _keep_totals(link.state))
        return link

    def reported(self, connection: int, state: LinkState) -> Link | None:
        """A daemon's workers changed."""
        link = self._by_connection.get(connection)
        if link is None:
            return None
        link.recalling = False
        head = self._journal.head
        if link in self._uncounted:
            self._uncounted.discard(link)
            head.workers_reconnected += state.available
        else:
            head.workers_joined += max(0, state.joined - link.state.joined)
            head.workers_disconnected += max(0, state.disconnected - link.state.disconnected)
        if (state.joined, state.disconnected) != (link.state.joined, link.state.disconnected):
            self._journal.touch()
        link.window = state.window
        self._set_state(link, state)
        return link

    def resize(self, link: Link, window: int) -> None:
        """A daemon wants to hold more, or less."""
        self.windows += window - link.window
        link.window = window

    def hurry(self) -> None:
        """Workers are being killed: who is silent is most likely gone, and its slices are pending again."""
        self._patience_ms = min(self._patience_ms, HURRY_MS)

    def expire(self, now: Now) -> list[Link]:
        """Forget links that were silent for too long; their slices are pending again."""
        limit = now.monotonic_ms - self._patience_ms
        gone = [
            link for link in self._links.values() if link.connection is None and link.silent_since_ms <= limit
        ]
        for link in gone:
            self._leases.revoke(link, f"node {link.hostname} was silent for {self._patience_ms} ms", now)
            self._drop(link)
        return gone

    def _set_state(self, link: Link, state: LinkState) -> None:
        self.available += state.available - link.state.available
        self.active += state.active - link.state.active
        link.state = state
        self.windows = sum(other.window for other in self._links.values() if other.connection is not None)

    def _end_older(self, hello: LinkHello, now: Now) -> list[int]:
        """Ends other incarnations of the daemon; returns their connections."""
        older = [
            link
            for link in self._links.values()
            if link.node_id == hello.node_id and link.incarnation != hello.incarnation
        ]
        connections = [link.connection for link in older if link.connection is not None]
        for link in older:
            self._leases.revoke(link, f"the worker daemon of node {link.hostname} was started again", now)
            self._drop(link)
        return connections

    def _drop(self, link: Link) -> None:
        if link.connection is not None:
            self._by_connection.pop(link.connection, None)
            link.connection = None
        self._set_state(link, NO_WORKERS)
        self._uncounted.discard(link)
        del self._links[link.incarnation]

    def _add(self, hello: LinkHello) -> Link:
        """A link that was forgotten keeps the key under which the store knows it."""
        node = self._keys.setdefault(hello.incarnation, len(self._keys) + 1)
        link = Link(node, hello.node_id, hello.incarnation, hello.hostname)
        self._links[link.incarnation] = link
        self._journal.put_node((link.node, link.node_id, link.incarnation, link.hostname))
        return link

    def _restore(self, row: NodeRow, now: Now) -> None:
        link = Link(row.node, row.node_id, row.incarnation, row.hostname, silent_since_ms=now.monotonic_ms)
        self._links[row.incarnation] = link
        self._uncounted.add(link)
        self._keys[row.incarnation] = row.node


def _keep_totals(state: LinkState) -> LinkState:
    return LinkState(available=0, active=0, joined=state.joined, disconnected=state.disconnected, window=0)
