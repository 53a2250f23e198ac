"""All that runs on this node: one pool for each execution that the master wants here.

Assignments are whole: pools are started, told, or told that they are no longer listed, and the same
Assignments again change nothing.  A pool ends by itself; if the master wants the execution here after all, a
new one is started.  A pool that crashes ends the daemon: its next incarnation holds no lease, and everything
it held is run again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias, assert_never

import structlog

from sliceworks.protocol.actor import Actor, Ref, answer
from sliceworks.protocol.errors import InvalidError
from sliceworks.protocol.messages import Assignment, Assignments, NodeState
from sliceworks.worker.events import Peer, PeerFound, PeerLost
from sliceworks.worker.figures import NodeFigures
from sliceworks.worker.pool import Assign, Drain, Pool, PoolChanged, Premises
from sliceworks.worker.roster import Roster

MAILBOX_MESSAGES: Final = 100_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PoolOver:
    """A pool has ended."""

    ex_id: str


@dataclass(frozen=True, slots=True)
class StatusAsked:
    """What is this node about, in one line?"""

    reply: asyncio.Future[str]


@dataclass(frozen=True, slots=True)
class FiguresAsked:
    """What does this node show to Prometheus?"""

    reply: asyncio.Future[NodeFigures]


NodeMessage: TypeAlias = (
    Assignments | PeerFound | PeerLost | PoolChanged | PoolOver | Drain | StatusAsked | FiguresAsked
)


class Node(Actor[NodeMessage]):
    """Starts and tells pools; `show` gets the node's state after each change of it."""

    def __init__(self, slots: int, premises: Premises, *, show: Callable[[NodeState], None]) -> None:
        self.ref: Ref[NodeMessage] = Ref("node", MAILBOX_MESSAGES)
        self.drained = asyncio.Event()
        """After Drain: no pool is left."""
        self._slots = slots
        self._premises = premises
        self._show = show
        self._roster = Roster()
        self._pools: dict[str, Pool] = {}
        self._wanted: dict[str, Assignment] = {}
        self._number = 0
        self._first_batch = 1
        self._incarnation = premises.incarnation
        self._forgotten = 0  # pools that ended with results that nobody acknowledged
        self._master_found = False
        self._overfull = False
        self._group = asyncio.TaskGroup()

    async def run(self, ref: Ref[NodeMessage]) -> None:
        """See `Actor`; the pools end with it."""
        async with self._group:
            await super().run(ref)

    async def handle(self, message: NodeMessage) -> None:
        """See `Actor`."""
        match message:
            case PoolChanged():
                self._roster.changed(message)
            case Assignments():
                self._assign(message)
            case PeerFound() | PeerLost():
                self._on_master(message)
            case PoolOver():
                self._on_over(message.ex_id)
            case Drain():
                self._drain(message)
            case StatusAsked():
                answer(message.reply, self._status())
            case FiguresAsked():
                answer(message.reply, self._figures())
            case _ as never:
                assert_never(never)
        self._show(self._roster.state())

    def _assign(self, assignments: Assignments) -> None:
        self._wanted = {item.ex_id: item for item in assignments.items}
        self._number = self._roster.assigned(assignments.revision)
        self._check_slots()
        for ex_id, pool in self._pools.items():
            pool.tell(Assign(self._number, self._wanted.get(ex_id)))
        for ex_id in self._wanted:
            if ex_id not in self._pools:
                self._start(ex_id)

    def _start(self, ex_id: str) -> None:
        """Start a pool, if the execution is wanted here."""
        assignment = self._wanted.get(ex_id)
        if self._roster.draining or assignment is None or assignment.workers == 0:
            return
        try:
            pool = Pool.open(assignment, self._premises, first_batch=self._first_batch, report=self.ref.tell)
        except InvalidError as error:
            log.exception("execution_unreadable", ex_id=ex_id)
            self._roster.broken(ex_id, str(error))
            return
        self._pools[ex_id] = pool
        self._roster.added(ex_id)
        pool.tell(Assign(self._number, assignment))
        if not self._master_found:
            pool.tell(PeerLost(Peer.MASTER))
        self._group.create_task(self._keep(ex_id, pool), name=f"pool-{ex_id}")
        log.info("execution_started_here", ex_id=ex_id, workers=assignment.workers)

    async def _keep(self, ex_id: str, pool: Pool) -> None:
        await pool.run(pool.ref)
        self.ref.tell(PoolOver(ex_id))

    def _on_master(self, message: PeerFound | PeerLost) -> None:
        self._master_found = isinstance(message, PeerFound)
        if self._master_found:
            self._roster.connected()
        for pool in self._pools.values():
            pool.tell(message)

    def _on_over(self, ex_id: str) -> None:
        pool = self._pools.pop(ex_id)
        self._first_batch = max(self._first_batch, pool.next_batch)
        if pool.has_untold:
            self._forget()
        self._roster.removed(ex_id)
        log.info("execution_ended_here", ex_id=ex_id)
        self._start(ex_id)
        if self._roster.draining and not self._pools:
            self.drained.set()

    def _forget(self) -> None:
        """From now on pools speak as a later incarnation, which answers for no lease of an earlier one.

        Otherwise a slice that was begun here, and whose result is forgotten, would look like one that never
        arrived.
        """
        self._forgotten += 1
        self._premises = replace(self._premises, incarnation=f"{self._incarnation}.{self._forgotten}")

    def _drain(self, message: Drain) -> None:
        self._roster.draining = True
        for pool in self._pools.values():
            pool.tell(message)
        if not self._pools:
            self.drained.set()

    def _status(self) -> str:
        """Such as `2 executions, 7 of 8 slots busy, connected to the master`."""
        executions = f"{len(self._pools)} execution{'' if len(self._pools) == 1 else 's'}"
        busy = len(self._roster.state().workers)
        master = "connected to the master" if self._master_found else "looking for the master"
        return f"{executions}, {busy} of {self._slots} slots busy, {master}"

    def _figures(self) -> NodeFigures:
        return NodeFigures(
            node_id=self._premises.node_id,
            hostname=self._premises.hostname,
            slots=self._slots,
            workers=len(self._roster.state().workers),
            master_found=self._master_found,
            pools=[pool.figures() for pool in self._pools.values()],
        )

    def _check_slots(self) -> None:
        """Say it once when more is assigned than fits: the rest waits for a free slot."""
        assigned = sum(item.workers for item in self._wanted.values())
        overfull = assigned > self._slots
        if overfull and not self._overfull:
            log.warning("more_workers_than_slots", assigned=assigned, slots=self._slots)
        self._overfull = overfull
