"""The shell of a worker daemon, played: its pools, its places, and its connection to the master.

As in `worker/node.py`, `worker/master_link.py`, `worker/daemon.py`.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, TypeAlias

from sliceworks.protocol.channel import Backoff
from sliceworks.protocol.ids import WorkerId
from sliceworks.protocol.messages import (
    VERSION,
    Assignment,
    Assignments,
    NodeHello,
    NodeState,
    NodeWelcome,
    Refused,
)
from sliceworks.worker.events import Peer, PeerFound, PeerLost
from sliceworks.worker.master_link import SEND_EVERY_SECONDS
from sliceworks.worker.pool import Assign, Drain, PoolChanged
from sliceworks.worker.roster import Roster
from tests.simulation.engine import Process
from tests.simulation.network import Endpoint
from tests.simulation.pool import Pool
from tests.simulation.scenario import MASTER_HOST, MASTER_PORT
from tests.simulation.worker_process import Slot

if TYPE_CHECKING:
    from tests.simulation.world import World

SEND_EVERY_MS: Final = int(SEND_EVERY_SECONDS * 1_000)
DRAIN_GRACE_MS: Final = 3_000
DRAIN_MS: Final = 8_000
GOODBYE_MS: Final = 100

Message: TypeAlias = Assignments | PeerFound | PeerLost | PoolChanged | str | Drain


class Daemon(Process):
    """One incarnation of a node's daemon."""

    kind = "daemon"

    def __init__(self, world: World, node_id: str, slots: int) -> None:
        super().__init__(world.engine, world.hosts[node_id])
        self.world = world
        self.node_id = node_id
        self.slots = slots
        self.incarnation = self.link_incarnation = f"{node_id}-{self.pid}"
        self.places = Places(slots)
        self.was_hung = False  # since the master was last found
        self._nonces = 0
        self._hellos = 0
        self._workers = 0
        self._roster = Roster()
        self._pools: dict[str, Pool] = {}
        self._wanted: dict[str, Assignment] = {}
        self._number = 0
        self._first_batch = 1
        self._forgotten = 0
        self._master_found = False
        self._link = MasterLink(self)
        self.post(self.engine.draw(20, 200), self._link.connect)

    def new_worker_id(self) -> WorkerId:
        """Counts over all pools."""
        self._workers += 1
        return WorkerId(self._workers)

    def new_hello_number(self) -> int:
        """Counts over all links."""
        self._hellos += 1
        return self._hellos

    def new_nonce(self) -> bytes:
        """Never used before by this process."""
        self._nonces += 1
        return self._nonces.to_bytes(16, "big")

    def tell(self, message: Message) -> None:
        """Queue a message."""
        self.post(0, self._handle, message)

    def tell_over(self, ex_id: str) -> None:
        """A pool has ended; what it told before is handled first."""
        self.post(0, self._handle, ex_id)

    def terminate(self) -> None:
        """SIGTERM: hand back what is not begun, wait for what is."""
        self.tell(Drain(DRAIN_GRACE_MS))
        self.post(DRAIN_MS, self.die, "exit code 0")

    def hang(self) -> None:
        """See `Process`; its workers go on."""
        super().hang()
        self.was_hung = True

    def _handle(self, message: Message) -> None:
        match message:
            case PoolChanged():
                self._roster.changed(message)
            case Assignments():
                self._assign(message)
            case PeerFound() | PeerLost():
                self._on_master(message)
            case str():
                self._on_over(message)
            case Drain():
                self._drain(message)
        self._link.show(self._roster.state())

    def _assign(self, assignments: Assignments) -> None:
        self.world.oracle.assigned(self, assignments)
        self._wanted = {item.ex_id: item for item in assignments.items}
        self._number = self._roster.assigned(assignments.revision)
        for ex_id, pool in self._pools.items():
            pool.tell(Assign(self._number, self._wanted.get(ex_id)))
        for ex_id in self._wanted:
            if ex_id not in self._pools:
                self._start(ex_id)

    def _start(self, ex_id: str) -> None:
        assignment = self._wanted.get(ex_id)
        if self._roster.draining or assignment is None or assignment.workers == 0:
            return
        pool = self._pools[ex_id] = Pool(self, assignment, self._first_batch)
        self._roster.added(ex_id)
        pool.tell(Assign(self._number, assignment))
        if not self._master_found:
            pool.tell(PeerLost(Peer.MASTER))

    def _on_master(self, message: PeerFound | PeerLost) -> None:
        self._master_found = isinstance(message, PeerFound)
        if self._master_found:
            self._roster.connected()
            self.was_hung = False
        for pool in self._pools.values():
            pool.tell(message)

    def _on_over(self, ex_id: str) -> None:
        pool = self._pools.pop(ex_id)
        self._first_batch = max(self._first_batch, pool.next_batch)
        if pool.has_untold:
            self._forgotten += 1
            self.link_incarnation = f"{self.incarnation}.{self._forgotten}"
        self._roster.removed(ex_id)
        self._start(ex_id)
        self._end_if_drained()

    def _drain(self, message: Drain) -> None:
        self._roster.draining = True
        for pool in self._pools.values():
            pool.tell(message)
        self._end_if_drained()

    def _end_if_drained(self) -> None:
        if self._roster.draining and not self._pools:
            self.post(GOODBYE_MS, self.die, "exit code 0")


class Places:
    """How many workers may live at once; who waits is served in order."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: deque[Slot] = deque()

    def take(self, slot: Slot) -> None:
        """Start it as soon as there is a place."""
        self._waiting.append(slot)
        self._serve()

    def leave(self, slot: Slot) -> None:
        """It is over, or waits no more."""
        if slot in self._waiting:
            self._waiting.remove(slot)
        else:
            self._free += 1
            self._serve()

    def _serve(self) -> None:
        while self._free and self._waiting:
            self._free -= 1
            self._waiting.popleft().start()


class MasterLink:
    """The connection to the master: opened again and again, for ever."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._end: Endpoint | None = None
        self._welcomed = False
        self._state: NodeState | None = None
        self._sent: NodeState | None = None
        self._planned = False
        self._free_at = 0
        self._backoff = Backoff(daemon.engine.random.random)

    def connect(self) -> None:
        """Once more."""
        self._daemon.world.network.connect(
            self._daemon,
            (MASTER_HOST, MASTER_PORT),
            "/_ws/node",
            on_open=self._opened,
            on_fail=self._try_again,
        )

    def show(self, state: NodeState) -> None:
        """This is the node's state now."""
        self._state = state
        if state == self._sent or not self._welcomed or self._planned:
            return
        self._planned = True
        now = self._daemon.engine.now
        self._daemon.post(max(0, self._free_at - now), self._send)

    def _send(self) -> None:
        self._planned = False
        if self._end is None or not self._welcomed or self._state is None or self._state == self._sent:
            return
        self._sent = self._state
        self._free_at = self._daemon.engine.now + SEND_EVERY_MS
        self._end.send(self._state)

    def _opened(self, end: Endpoint) -> None:
        daemon = self._daemon
        self._end = end
        end.on_message = self._hear
        end.on_closed = self._closed
        end.send(
            NodeHello(
                version=VERSION,
                node_id=daemon.node_id,
                incarnation=daemon.incarnation,
                hostname=daemon.node_id,
                pid=daemon.pid,
                slots=daemon.slots,
                python_version="3.11",
                sliceworks_version="1",
            )
        )
        daemon.post(10_000, self._check_welcome, end)

    def _hear(self, message: object) -> None:
        match message:
            case NodeWelcome():
                self._welcomed = True
                self._backoff.reset()
                self._state = self._sent = None
                self._daemon.tell(PeerFound(Peer.MASTER))
            case Assignments():
                self._daemon.tell(message)
            case Refused():
                if self._end:
                    self._end.lose()
            case _:
                raise AssertionError(message)

    def _check_welcome(self, end: Endpoint) -> None:
        if end is self._end and not self._welcomed:
            end.lose()

    def _closed(self) -> None:
        self._end = None
        if self._welcomed:
            self._welcomed = False
            self._daemon.tell(PeerLost(Peer.MASTER))
        self._try_again()

    def _try_again(self) -> None:
        self._daemon.post(int(self._backoff.next_seconds() * 1_000), self.connect)
