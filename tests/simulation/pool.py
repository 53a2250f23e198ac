"""The shell of one execution on a node, played: the real pool machine, its workers and its link.

As in `worker/pool.py` and `worker/link.py`.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeAlias

from sliceworks.protocol.channel import Backoff
from sliceworks.protocol.ids import WorkerId
from sliceworks.protocol.messages import (
    VERSION,
    AckResults,
    Assignment,
    LinkHello,
    LinkWelcome,
    RecallSlices,
    Refused,
    RunSlices,
    WorkerInfo,
)
from sliceworks.protocol.proof import proof_of
from sliceworks.worker import events as ev
from sliceworks.worker.events import Peer
from sliceworks.worker.link import WELCOME_SECONDS, Target
from sliceworks.worker.machine import PoolMachine, PoolRules
from sliceworks.worker.pool import Assign, Drain, PoolChanged
from tests.simulation.faults import Step
from tests.simulation.network import Endpoint
from tests.simulation.scenario import CONTROLLER_HEARTBEAT_MS, DISCONNECT_MS
from tests.simulation.worker_process import Slot

if TYPE_CHECKING:
    from tests.simulation.daemon_process import Daemon


class HeldAsked:
    """The link wants to say hello on this connection."""

    def __init__(self, end: Endpoint, target: Target) -> None:
        self.end = end
        self.target = target


Message: TypeAlias = ev.Event | Assign | Drain | HeldAsked


class Pool:
    """One execution on this node."""

    def __init__(self, daemon: Daemon, assignment: Assignment, first_batch: int) -> None:
        self.daemon = daemon
        self.ex_id = assignment.ex_id
        self.incarnation = daemon.link_incarnation
        self._assignment = assignment
        rules = PoolRules(
            ex_id=assignment.ex_id,
            prefetch=not daemon.world.job_of(assignment.ex_id).at_most_once,
            disconnect_timeout_ms=DISCONNECT_MS,
            first_batch=first_batch,
            slice_timeout_ms=daemon.world.job_of(assignment.ex_id).slice_timeout_ms,
            new_worker_id=daemon.new_worker_id,
        )
        self._machine = PoolMachine(rules, daemon.engine.now)
        self._slots: dict[WorkerId, Slot] = {}
        self._mailbox: deque[Message] = deque()
        self._over = False
        self._in_turn = False
        self._handled = 0
        self._reflected = 0
        self._alarm_ms = 0
        self._sent: dict[int, list[tuple[int, int]]] = {}
        self._link = Link(self, _target_of(assignment))

    @property
    def next_batch(self) -> int:
        """The first number that no batch of results has used."""
        return self._machine.next_batch

    @property
    def has_untold(self) -> bool:
        """It has results that nobody acknowledged."""
        return self._machine.has_untold

    def tell(self, message: Message) -> None:
        """Queue a message; once the pool is over it is dropped."""
        if self._over:
            return
        self._mailbox.append(message)
        self.daemon.post(0, self._handle_next)

    def push(self) -> None:
        """Tell the node; a worker that waits for a place is none yet."""
        workers = [
            WorkerInfo(worker_id, 1, self.ex_id, state)
            for worker_id, state in self._machine.workers()
            if worker_id in self._slots and self._slots[worker_id].placed
        ]
        self.daemon.tell(PoolChanged(self.ex_id, self._reflected, workers, self._machine.link_info()))

    def _handle_next(self) -> None:
        message = self._mailbox.popleft()
        if self._over:
            return
        match message:
            case HeldAsked():
                self._link.introduce(message, self._machine.held())
            case Assign():
                self._handled = message.number
                self._assign(message.assignment)
            case Drain():
                self._feed(ev.DrainStarted(message.grace_ms))
            case _:
                self._feed(message)

    def _assign(self, assignment: Assignment | None) -> None:
        if assignment is None:
            self._feed(ev.Unassigned())
        elif assignment.generation >= self._assignment.generation:
            self._assignment = assignment
            self._link.aim(_target_of(assignment))
            self._feed(ev.Assigned(assignment.workers, assignment.grace_ms, assignment.generation))
        else:
            self._reflected = self._handled
            self.push()

    def _feed(self, event: ev.Event) -> None:
        if isinstance(event, ev.WorkerExited):
            self._slots.pop(event.worker_id, None)
        if isinstance(event, ev.ResultsAcked):
            self._check_acked(event.batch)
        if isinstance(event, ev.TurnEnded):
            self._in_turn = False
            self._reflected = self._handled
        elif not self._in_turn:
            self._in_turn = True
            self.tell(ev.TurnEnded())
        for effect in self._machine.handle(event, self.daemon.engine.now):
            self._carry_out(effect)

    def _carry_out(self, effect: ev.Effect) -> None:
        match effect:
            case ev.GiveSlices() | ev.FinishWorker() | ev.KillWorker() | ev.LookAtWorker():
                self._tell_slot(self._slots[effect.worker_id], effect)
            case ev.SendResults(results):
                self.daemon.world.pass_step(Step.REPORT, self.daemon)
                self._sent[results.batch] = list(zip(results.seqs, results.epochs, strict=True))
                self._link.send(results)
            case ev.SendLinkState(state):
                self._link.send(state)
            case ev.SpawnWorker(worker_id):
                slot = self._slots[worker_id] = Slot(self, worker_id)
                self.daemon.places.take(slot)
            case ev.NodeChanged():
                self.push()
            case ev.WakeAt(at_ms):
                self._alarm_ms = at_ms
                self.daemon.post(max(0, at_ms - self.daemon.engine.now), self._ring, at_ms)
            case ev.PoolEnded():
                self._over = True
                self._link.close()
                self.daemon.tell_over(self.ex_id)
            case _:
                message = f"the simulation does not play {effect}"
                raise AssertionError(message)

    def _tell_slot(self, slot: Slot, order: ev.Effect) -> None:
        match order:
            case ev.GiveSlices(_, slices):
                self.daemon.world.pass_step(Step.HAND, self.daemon)
                slot.give(slices)
            case ev.FinishWorker():
                slot.finish()
            case ev.KillWorker():
                slot.kill()
            case ev.LookAtWorker():
                self.tell(slot.look())

    def _ring(self, at_ms: int) -> None:
        if at_ms == self._alarm_ms:
            self.tell(ev.Tick())

    def _check_acked(self, batch: int) -> None:
        for number in [number for number in self._sent if number <= batch]:
            self.daemon.world.oracle.acknowledged(self.ex_id, self._sent.pop(number))


class Link:
    """The connection to the controller: opened again and again, for ever."""

    def __init__(self, pool: Pool, target: Target) -> None:
        self._pool = pool
        self._daemon = pool.daemon
        self._target = target
        self._end: Endpoint | None = None
        self._welcomed = False
        self._try = 0  # what belongs to an older try means nothing any more
        self._backoff = Backoff(self._daemon.engine.random.random)
        self._daemon.post(0, self._connect, 0)

    def aim(self, target: Target) -> None:
        """Connect there from now on."""
        if target == self._target:
            return
        self._target = target
        self._drop()
        self._backoff = Backoff(self._daemon.engine.random.random)
        self._connect(self._try)

    def send(self, message: object) -> None:
        """Without a connection the message is dropped."""
        if self._end and self._welcomed:
            self._end.send(message)

    def close(self) -> None:
        """The pool is over."""
        self._drop()

    def introduce(self, asked: HeldAsked, held: list[tuple[int, int]]) -> None:
        """Say hello on the new connection."""
        daemon, target = self._daemon, asked.target
        nonce = daemon.new_nonce()
        hello = LinkHello(
            version=VERSION,
            ex_id=self._pool.ex_id,
            generation=target.generation,
            nonce=nonce,
            proof=proof_of(target.secret, "daemon", nonce),
            node_id=daemon.node_id,
            incarnation=self._pool.incarnation,
            hostname=daemon.node_id,
            held_seqs=[seq for seq, _ in held],
            held_epochs=[epoch for _, epoch in held],
            number=daemon.new_hello_number(),
        )
        asked.end.send(hello)
        daemon.post(WELCOME_SECONDS * 1_000, self._check_welcome, self._try)

    def _connect(self, number: int) -> None:
        if number != self._try:
            return
        self._daemon.world.network.connect(
            self._daemon,
            (self._target.host, self._target.port),
            "/_ws/link",
            on_open=lambda end: self._opened(end, number),
            on_fail=lambda: self._try_again(number),
        )

    def _opened(self, end: Endpoint, number: int) -> None:
        if number != self._try:
            end.close()
            return
        end.heartbeat_ms = CONTROLLER_HEARTBEAT_MS
        self._end, self._welcomed = end, False
        end.on_message = self._hear
        end.on_closed = lambda: self._lost(number)
        self._pool.tell(HeldAsked(end, self._target))

    def _hear(self, message: object) -> None:
        match message:
            case LinkWelcome():
                self._welcomed = True
                self._backoff.reset()
                self._pool.tell(ev.PeerFound(Peer.CONTROLLER))
            case RunSlices():
                self._daemon.world.pass_step(Step.HAND, self._daemon)
                self._pool.tell(ev.SlicesGranted(message))
            case AckResults(batch):
                self._pool.tell(ev.ResultsAcked(batch))
            case RecallSlices(count):
                self._pool.tell(ev.Recalled(count))
            case Refused():
                self._lost(self._try)
            case _:
                raise AssertionError(message)

    def _check_welcome(self, number: int) -> None:
        if number == self._try and not self._welcomed:
            self._lost(number)

    def _lost(self, number: int) -> None:
        if number == self._try:
            self._drop()
            self._try_again(self._try)

    def _try_again(self, number: int) -> None:
        if number == self._try:
            self._daemon.post(int(self._backoff.next_seconds() * 1_000), self._connect, number)

    def _drop(self) -> None:
        self._try += 1
        end, self._end = self._end, None
        if end is not None:
            end.close()
            if self._welcomed:
                self._welcomed = False
                self._pool.tell(ev.PeerLost(Peer.CONTROLLER))


def _target_of(assignment: Assignment) -> Target:
    return Target(assignment.generation, assignment.host, assignment.port, assignment.secret)
