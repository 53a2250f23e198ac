"""One execution on this node: the shell of `machine.py`, and the owner of its workers and of the link.

All that happens comes in through one mailbox: what the node wants, what workers and controller say, the
alarm.  A turn is whatever the mailbox held when its first message was handled; at its end the machine gives
out slices and reports, so that under load many frames become one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias, assert_never

import aiohttp
import structlog
from pydantic import ValidationError

from sliceworks.operations.manifest import is_asset_id
from sliceworks.protocol.actor import Actor, MailboxClosed, Ref, answer
from sliceworks.protocol.documents import ExecutionSpec
from sliceworks.protocol.errors import InvalidError
from sliceworks.protocol.ids import WorkerId
from sliceworks.protocol.log import Level, Style, level_of
from sliceworks.protocol.messages import Assignment, LinkInfo, WorkerInfo
from sliceworks.worker.alarm import Alarm
from sliceworks.worker.events import (
    Assigned,
    DrainStarted,
    Effect,
    Event,
    FinishWorker,
    GiveSlices,
    KillWorker,
    LookAtWorker,
    NodeChanged,
    PoolEnded,
    SendLinkState,
    SendResults,
    SpawnWorker,
    Tick,
    TurnEnded,
    Unassigned,
    WakeAt,
    WorkerExited,
    WorkerSeen,
)
from sliceworks.worker.figures import PoolFigures
from sliceworks.worker.leases import Lease
from sliceworks.worker.link import Caller, Link, Target
from sliceworks.worker.machine import PoolMachine, PoolRules
from sliceworks.worker.slot import Slot, WorkerForked, Workshop
from sliceworks.worker.start import AssetStart, WorkerStart
from sliceworks.worker.stderr import style_for_worker

MAILBOX_MESSAGES: Final = 1_000_000  # bounded by the slices that the machine asks for, long before this

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Premises:
    """What all pools of a node share."""

    node_id: str
    incarnation: str
    hostname: str
    durable: bool
    log_level: Level
    log_format: Style
    heartbeat_ms: int
    disconnect_timeout_ms: int
    session: aiohttp.ClientSession
    workshop: Workshop
    new_worker_id: Callable[[], WorkerId]


@dataclass(frozen=True, slots=True)
class Assign:
    """The master's newest word on this execution, numbered by the node; None: it is no longer listed."""

    number: int
    assignment: Assignment | None


@dataclass(frozen=True, slots=True)
class Drain:
    """The daemon is shutting down."""

    grace_ms: int


@dataclass(frozen=True, slots=True)
class HeldAsked:
    """Which leases does this node have?"""

    reply: asyncio.Future[list[Lease]]


@dataclass(frozen=True, slots=True)
class PoolChanged:
    """For the node: how this execution fares here, all of it; `number` is that of the newest Assign in it."""

    ex_id: str
    number: int
    workers: list[WorkerInfo]
    link: LinkInfo


PoolMessage: TypeAlias = Event | Assign | Drain | HeldAsked | WorkerForked


class Pool(Actor[PoolMessage]):
    """Runs until the machine says that it is over.  Made by `open`, which raises InvalidError."""

    def __init__(
        self,
        assignment: Assignment,
        execution: ExecutionSpec,
        premises: Premises,
        *,
        first_batch: int,
        report: Callable[[PoolChanged], None],
    ) -> None:
        self.ref: Ref[PoolMessage] = Ref(f"pool/{assignment.ex_id}", MAILBOX_MESSAGES)
        self._assignment = assignment
        self._operations = [operation.op for operation in execution.operations]
        self._assets = tuple(dict.fromkeys(execution.assets or ()))
        self._job_name = execution.name
        self._premises = premises
        self._report = report
        self._clock = premises.workshop.clock
        rules = PoolRules(
            ex_id=assignment.ex_id,
            prefetch=execution.max_attempts != 1,
            disconnect_timeout_ms=premises.disconnect_timeout_ms,
            first_batch=first_batch,
            new_worker_id=premises.new_worker_id,
            slice_timeout_ms=execution.slice_timeout,
        )
        self._machine = PoolMachine(rules, self._clock.monotonic_ms())
        self._slots: dict[WorkerId, Slot] = {}
        self._alarm = Alarm(self._clock, lambda: self.tell(Tick()))
        self._link = Link(self._caller(), _target_of(assignment), tell=self.tell, held=self._ask_held)
        self._group = asyncio.TaskGroup()
        self._over = False
        self._in_turn = False
        self._handled = 0
        self._reflected = 0

    @classmethod
    def open(
        cls,
        assignment: Assignment,
        premises: Premises,
        *,
        first_batch: int,
        report: Callable[[PoolChanged], None],
    ) -> Pool:
        """A pool that is ready to run; InvalidError if this version cannot read the execution document."""
        try:
            execution = ExecutionSpec.model_validate_json(assignment.execution)
        except ValidationError as error:
            message = f"the document of execution {assignment.ex_id} cannot be read: {error}"
            raise InvalidError(message) from error
        for asset_id in execution.assets or ():
            if not is_asset_id(asset_id):
                message = (
                    f"the document of execution {assignment.ex_id} names {asset_id!r}, which is no asset id"
                )
                raise InvalidError(message)
        return cls(assignment, execution, premises, first_batch=first_batch, report=report)

    @property
    def next_batch(self) -> int:
        """The first number that no batch of results has used."""
        return self._machine.next_batch

    @property
    def has_untold(self) -> bool:
        """It has results that nobody acknowledged."""
        return self._machine.has_untold

    def figures(self) -> PoolFigures:
        """What it did so far."""
        ex_id, job_id = self._assignment.ex_id, self._assignment.job_id
        return PoolFigures(ex_id, job_id, self._job_name, len(self._slots), self._machine.timings())

    def tell(self, message: PoolMessage) -> None:
        """Queue a message; once the pool is over it is dropped, as nothing can matter any more."""
        with contextlib.suppress(MailboxClosed):
            self.ref.tell(message)

    async def run(self, ref: Ref[PoolMessage]) -> None:
        """See `Actor`; workers, link and alarm end with it."""
        with self._premises.workshop.assets.used(self._assets):
            await self._run(ref)

    async def _run(self, ref: Ref[PoolMessage]) -> None:
        async with self._group as group:
            helpers = [
                group.create_task(self._link.run(), name="link"),
                group.create_task(self._alarm.run(), name="alarm"),
            ]
            await super().run(ref)
            for helper in helpers:
                helper.cancel()

    async def handle(self, message: PoolMessage) -> None:
        """See `Actor`."""
        if self._over:
            return  # whoever wants something now, wants a new pool
        match message:
            case HeldAsked():
                answer(message.reply, self._machine.held())
            case WorkerForked():
                self._push()
            case Assign():
                self._handled = message.number
                self._assign(message.assignment)
            case Drain():
                self._feed(DrainStarted(message.grace_ms))
            case _:
                self._feed(message)

    def _assign(self, assignment: Assignment | None) -> None:
        if assignment is None:
            self._feed(Unassigned())
        elif assignment.generation >= self._assignment.generation:
            self._assignment = assignment
            self._link.aim(_target_of(assignment))
            for slot in self._slots.values():
                slot.log_from(self._log_level())
            self._feed(Assigned(assignment.workers, assignment.grace_ms, assignment.generation))
        else:
            self._reflected = self._handled
            self._push()

    def _feed(self, event: Event) -> None:
        if isinstance(event, WorkerExited):
            self._slots.pop(event.worker_id, None)
        if isinstance(event, TurnEnded):
            self._in_turn = False
            self._reflected = self._handled
        elif not self._in_turn:
            self._in_turn = True
            self.tell(TurnEnded())
        for effect in self._machine.handle(event, self._clock.monotonic_ms()):
            self._carry_out(effect)

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case GiveSlices() | FinishWorker() | KillWorker() | LookAtWorker():
                self._tell_slot(self._slots[effect.worker_id], effect)
            case SendResults():
                self._link.send(effect.results)
            case SendLinkState():
                self._link.send(effect.state)
            case SpawnWorker():
                self._spawn(effect.worker_id)
            case NodeChanged():
                self._push()
            case WakeAt():
                self._alarm.set(effect.at_ms)
            case PoolEnded():
                self._over = True
                self.ref.drain()
            case _ as never:
                assert_never(never)

    def _tell_slot(self, slot: Slot, order: GiveSlices | FinishWorker | KillWorker | LookAtWorker) -> None:
        match order:
            case GiveSlices():
                slot.give(order.slices)
            case FinishWorker():
                slot.finish()
            case KillWorker():
                slot.kill()
            case LookAtWorker():
                seen = slot.in_hand()
                self.tell(WorkerSeen(order.worker_id, seen.seq, seen.begun_ms))
            case _ as never:
                assert_never(never)

    def _spawn(self, worker_id: WorkerId) -> None:
        premises = self._premises
        start = WorkerStart(
            worker_id=worker_id,
            ex_id=self._assignment.ex_id,
            node_id=premises.node_id,
            hostname=premises.hostname,
            execution=self._assignment.execution,
            durable=premises.durable,
            log_level=self._log_level(),
            log_format=style_for_worker(premises.log_format),
            assets=[
                AssetStart(asset, str(premises.workshop.assets.directory(asset))) for asset in self._assets
            ],
        )
        slot = Slot(start, premises.workshop, operations=self._operations, tell=self.tell)
        self._slots[worker_id] = slot
        slot.live(self._group)

    def _log_level(self) -> Level:
        return level_of(self._assignment.log_level, self._premises.log_level)

    def _push(self) -> None:
        """Tell the node; a worker that waits for a place is none yet."""
        ex_id = self._assignment.ex_id
        workers = [
            WorkerInfo(worker_id, self._slots[worker_id].pid, ex_id, state)
            for worker_id, state in self._machine.workers()
            if worker_id in self._slots and self._slots[worker_id].placed
        ]
        self._report(PoolChanged(ex_id, self._reflected, workers, self._machine.link_info()))

    def _caller(self) -> Caller:
        premises = self._premises
        return Caller(
            session=premises.session,
            heartbeat_ms=premises.heartbeat_ms,
            ex_id=self._assignment.ex_id,
            node_id=premises.node_id,
            incarnation=premises.incarnation,
            hostname=premises.hostname,
        )

    async def _ask_held(self) -> list[Lease]:
        return await self.ref.ask(HeldAsked)


def _target_of(assignment: Assignment) -> Target:
    return Target(assignment.generation, assignment.host, assignment.port, assignment.secret)
