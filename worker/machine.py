"""Decides for one execution on this node: who gets which slice, how leases end, what the controller is told.

Pure: events in, effects out.  How many workers live is decided in `staffing.py`, what each of them does is a
table in `crew.py`, how much it is given follows from `pace.py`.

| a lease ends       | when                                                                        |
| ------------------ | --------------------------------------------------------------------------- |
| as its worker said | the worker's result arrived, whatever state the worker is in                |
| LOST               | its worker died by itself with this slice in hand                           |
| TIMED_OUT          | it was in hand for `slice_timeout_ms`, and its worker was killed for that   |
| RETURNED           | it was recalled; its worker died by itself while it lay behind another;     |
|                    | its worker was killed by us; it is queued and no worker lives or is started |

Always true: each granted lease gets exactly one result; a result is kept until it is acknowledged, and sent
again after each reconnect, in order, under its batch number; no lease is given to two workers; slices and
results leave with TurnEnded only, so that all of a turn travel together.  RETURNED with `started_ms` says:
the slice was begun.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from sliceworks.protocol.ids import WorkerId
from sliceworks.protocol.messages import HostResults, LinkInfo, ResultDetail, RunSlices, SliceTimings
from sliceworks.protocol.states import ResultKind
from sliceworks.worker.contact import NEVER, Contact
from sliceworks.worker.crew import Crew, Dying, Worker, shown_state
from sliceworks.worker.events import (
    Assigned,
    DrainStarted,
    Effect,
    Event,
    GiveSlices,
    KillWorker,
    Peer,
    PeerFound,
    PeerLost,
    PoolEnded,
    Recalled,
    ResultsAcked,
    SendResults,
    SlicesGranted,
    Tick,
    TurnEnded,
    Unassigned,
    WakeAt,
    WorkerDelayed,
    WorkerExited,
    WorkerReady,
    WorkerResults,
    WorkerSeen,
    WorkerStartFailed,
)
from sliceworks.worker.leases import Lease, LeaseQueue
from sliceworks.worker.pace import Pace
from sliceworks.worker.report import Reports
from sliceworks.worker.results import ResultBook, without
from sliceworks.worker.staffing import Staffing
from sliceworks.worker.starts import Starts
from sliceworks.worker.time_limit import SliceLimit


@dataclass(frozen=True, slots=True)
class PoolRules:
    """What a pool is told at its birth; `new_worker_id` counts over all pools of the node."""

    ex_id: str
    prefetch: bool  # False: a slice may be begun only once
    disconnect_timeout_ms: int
    first_batch: int
    new_worker_id: Callable[[], WorkerId]
    slice_timeout_ms: int = 0  # 0: a slice may take for ever


class PoolMachine:
    """One execution on this node."""

    def __init__(self, rules: PoolRules, now: int) -> None:
        self._ex_id = rules.ex_id
        self._contact = Contact(rules.disconnect_timeout_ms, now)
        self._starts = Starts()
        self._crew = Crew()
        self._staffing = Staffing(
            self._crew, contact=self._contact, starts=self._starts, new_worker_id=rules.new_worker_id
        )
        self._reports = Reports(self._crew, contact=self._contact, starts=self._starts)
        self._pace = Pace(prefetch=rules.prefetch)
        self._queue = LeaseQueue()
        self._results = ResultBook(rules.first_batch)
        self._limit = SliceLimit(rules.slice_timeout_ms, self._crew)
        self._effects: list[Effect] = []
        self._unsettled = True
        self._wake_at = NEVER

    def handle(self, event: Event, now: int) -> list[Effect]:
        """What to do about an event; slices and results go out with the TurnEnded that follows."""
        match event:
            case WorkerResults():
                self._on_results(event.worker_id, event.results)
            case TurnEnded():
                self._end_turn(now)
            case SlicesGranted():
                self._pace.arrived(event.slices.requests)
                self._queue.add(event.slices)
            case ResultsAcked():
                self._results.acked(event.batch)
            case Recalled():
                self._on_recalled(event.count)
            case WorkerReady() | WorkerDelayed() | WorkerStartFailed() | WorkerExited() | WorkerSeen():
                self._on_worker(event, now)
            case Assigned() | Unassigned() | DrainStarted():
                self._staffing.wish(event)
                self._unsettled = self._reports.changed = True
            case PeerFound() | PeerLost():
                self._on_peer(event, now)
            case Tick():
                self._wake_at = NEVER
            case _ as never:
                assert_never(never)
        effects, self._effects = self._effects, []
        return effects

    def held(self) -> list[Lease]:
        """Every lease this node has, also those whose result is not acknowledged."""
        return [*self._queue.leases(), *self._crew.leases(), *self._results.leases()]

    def workers(self) -> list[tuple[WorkerId, str]]:
        """The workers and their states, as the master shows them."""
        return [(worker.worker_id, shown_state(worker)) for worker in self._crew]

    def link_info(self) -> LinkInfo:
        """How the execution fares here."""
        connected = self._contact.reaches(Peer.CONTROLLER)
        return LinkInfo(self._ex_id, connected, self._starts.failures, self._starts.error)

    @property
    def next_batch(self) -> int:
        """The number that the next batch of results gets."""
        return self._results.next_batch

    @property
    def has_untold(self) -> bool:
        """Some lease's result is not acknowledged: a pool that ends like that forgets how the lease ended."""
        return not self._results.empty

    def timings(self) -> SliceTimings:
        """How long tries took here."""
        return self._results.timings.told()

    def _on_results(self, worker_id: WorkerId, frame: HostResults) -> None:
        worker = self._crew.get(worker_id)
        if worker is None:
            return
        unknown = _take_out(worker.given, frame)
        if unknown:
            frame = without(frame, unknown)
        if not frame.seqs:
            return
        done = len(frame.seqs) - frame.kinds.count(ResultKind.RETURNED)
        worker.finished += done
        self._pace.ran(done, sum(frame.run_us))
        self._results.add_frame(worker_id, frame)
        if not worker.given:
            self._reports.activity_changed = True

    def _on_recalled(self, count: int) -> None:
        leases = self._queue.take_back(count)
        self._results.add_returned(leases)
        if not leases:
            self._reports.repeat()  # the controller hears that there is nothing to hand back

    def _on_worker(
        self, event: WorkerReady | WorkerDelayed | WorkerStartFailed | WorkerExited | WorkerSeen, now: int
    ) -> None:
        worker = self._crew.get(event.worker_id)
        if worker is None:
            return
        if isinstance(event, WorkerSeen):
            self._on_seen(worker, event, now)
            return
        self._unsettled = self._reports.changed = True
        match event:
            case WorkerReady():
                self._staffing.ready(worker, now)
            case WorkerDelayed():
                self._staffing.delayed(event.reason)
            case WorkerStartFailed():
                self._effects += self._staffing.start_failed(worker, event.error, now)
            case WorkerExited():
                self._end_leases(worker, event)
                self._staffing.exited(worker, event, now)
            case _ as never:
                assert_never(never)

    def _on_seen(self, worker: Worker, event: WorkerSeen, now: int) -> None:
        if not self._limit.is_overdue(worker, event, now):
            return
        self._crew.move(worker, Dying(timed_out=event.seq))
        self._unsettled = self._reports.changed = True
        self._effects.append(KillWorker(worker.worker_id))

    def _end_leases(self, worker: Worker, event: WorkerExited) -> None:
        in_hand = next((lease for lease in worker.given if lease[0] == event.seq), None)
        if in_hand:
            del worker.given[in_hand]
            self._end_in_hand(worker, in_hand, event)
        self._results.add_returned(worker.given, worker.worker_id)

    def _end_in_hand(self, worker: Worker, lease: Lease, event: WorkerExited) -> None:
        kind, detail = ResultKind.RETURNED, None
        cause = f"{event.cause} in operation {event.op}" if event.op else event.cause
        match worker.state:
            case Dying(timed_out) if timed_out == event.seq:
                kind = ResultKind.TIMED_OUT
                cause = f"the slice took longer than its slice_timeout of {self._limit.text}: {cause}"
            case Dying():
                pass
            case _:
                kind = ResultKind.LOST
        if kind is not ResultKind.RETURNED:
            detail = ResultDetail(cause, event.op, event.exit_code, event.signal, event.log_tail)
        self._results.add_ended(
            lease, worker.worker_id, kind, started_ms=event.started_ms, run_us=event.run_us, detail=detail
        )

    def _on_peer(self, event: PeerFound | PeerLost, now: int) -> None:
        self._unsettled = True
        if isinstance(event, PeerLost):
            self._contact.lost(event.peer, now)
        else:
            self._contact.found(event.peer)
        if event.peer is Peer.MASTER:
            return
        self._reports.changed = True
        if isinstance(event, PeerFound):
            self._begin_link()

    def _begin_link(self) -> None:
        window = self._window()
        self._reports.repeat()
        self._effects += self._reports.link_state(window)
        self._effects += [SendResults(batch) for batch in self._results.unacked(window)]

    def _end_turn(self, now: int) -> None:
        if self._unsettled or now >= self._staffing.settle_at:
            self._settle(now)
        if self._queue:
            self._give()
        self._send_results()
        self._effects += self._reports.report(self._window(), now)
        self._effects += self._limit.watch(now)
        wake_at = min(self._staffing.settle_at, self._reports.due_at, self._limit.due_at)
        if wake_at < self._wake_at:
            self._wake_at = wake_at
            self._effects.append(WakeAt(wake_at))
        if not self._crew and not self._staffing.wanted and (self._results.empty or self._staffing.forlorn):
            self._effects.append(PoolEnded())

    def _settle(self, now: int) -> None:
        self._unsettled = False
        effects = self._staffing.settle(now)
        if effects:
            self._reports.changed = True
            self._effects += effects

    def _give(self) -> None:
        if not self._crew.ready and not self._crew.starting():
            self._results.add_returned(self._queue.take_back(len(self._queue)))
            return
        while self._queue and (hungry := self._hungry()):
            for position, worker in enumerate(hungry):
                share = -(-len(self._queue) // (len(hungry) - position))
                if share:
                    self._give_to(worker, self._queue.take(min(share, self._pace.batch)))

    def _hungry(self) -> list[Worker]:
        """Ready workers that have room, the emptiest first."""
        refill_at = self._pace.refill_at
        hungry = [worker for worker in self._crew.ready.values() if len(worker.given) <= refill_at]
        if len(hungry) > 1:
            hungry.sort(key=lambda worker: len(worker.given))
        return hungry

    def _give_to(self, worker: Worker, slices: RunSlices) -> None:
        if not worker.given:
            self._reports.activity_changed = True
        worker.given.update(dict.fromkeys(zip(slices.seqs, slices.epochs, strict=True)))
        self._effects.append(GiveSlices(worker.worker_id, slices))

    def _send_results(self) -> None:
        window = self._window()
        batches = self._results.seal(window)
        if batches and self._contact.reaches(Peer.CONTROLLER):
            self._effects += [SendResults(batch) for batch in batches]
            self._reports.told_window(window)

    def _window(self) -> int:
        if not self._staffing.wanted or self._results.overfull:
            return 0
        return self._pace.window(len(self._crew.ready))


def _take_out(given: dict[Lease, None], frame: HostResults) -> set[int]:
    """Take the leases of a frame out of `given`; returns the indexes of those that are not in it."""
    unknown = set()
    for index, lease in enumerate(zip(frame.seqs, frame.epochs, strict=True)):
        try:
            del given[lease]
        except KeyError:
            unknown.add(index)
    return unknown
