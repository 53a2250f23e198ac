"""What the master is told of this node: all its pools in one message.

A state names the revision of the Assignments that it reflects, and it reflects them only when every pool
has acted on them: before that, a worker could be missing from it that is about to be started or killed.  A
new connection may be one to another master, whose revisions have nothing to do with those before: nothing
is reflected then.
"""

from __future__ import annotations

from sliceworks.protocol.messages import LinkInfo, NodeState
from sliceworks.worker.pool import PoolChanged
from sliceworks.worker.starts import MAX_FAILURES


class Roster:
    """Gathers the states of the pools."""

    def __init__(self) -> None:
        self.draining = False
        """The daemon is shutting down."""
        self._number = 0
        self._revision = 0
        self._reflected = 0
        self._pools: dict[str, PoolChanged] = {}
        self._broken: dict[str, str] = {}

    def connected(self) -> None:
        """The master is a new one, or the same one again."""
        self._revision = self._reflected = 0

    def assigned(self, revision: int) -> int:
        """Assignments arrived; the number by which the pools are told of them."""
        self._number += 1
        self._revision = revision
        self._broken = {}
        return self._number

    def added(self, ex_id: str) -> None:
        """A pool was started; it has told nothing yet."""
        self._pools[ex_id] = PoolChanged(ex_id, 0, [], LinkInfo(ex_id, connected=False))

    def changed(self, change: PoolChanged) -> None:
        """A pool told how it fares; what it says after its end does not count."""
        if change.ex_id in self._pools:
            self._pools[change.ex_id] = change

    def broken(self, ex_id: str, error: str) -> None:
        """No pool can be made for this execution: to the master, its workers do not start here."""
        self._broken[ex_id] = error

    def removed(self, ex_id: str) -> None:
        """A pool is over."""
        self._pools.pop(ex_id, None)

    def state(self) -> NodeState:
        """What runs here now."""
        if all(pool.number >= self._number for pool in self._pools.values()):
            self._reflected = self._revision
        links = [pool.link for pool in self._pools.values()]
        links += [
            LinkInfo(ex_id, connected=False, start_failures=MAX_FAILURES, start_error=error)
            for ex_id, error in self._broken.items()
        ]
        workers = [worker for pool in self._pools.values() for worker in pool.workers]
        return NodeState(workers, links, self._reflected, self.draining)
