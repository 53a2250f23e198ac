"""The execution machine: everything that an execution controller decides, and nothing that it does.

`handle(event, now)` changes the state and returns effects; `flush(now)` returns the next batch to write, when
none is being written.  Nothing here waits, reads a clock or touches a file, so a test can run it through any
history of events.

A slice's way: SlicesMade -> (supply) -> queue -> (dispatch) -> lease, written, sent -> ResultsArrived ->
(leases, retry) -> written, acknowledged.
"""

from __future__ import annotations

from typing import Final

from sliceworks.master.execution import events as ev
from sliceworks.master.execution.dispatch import Dispatcher
from sliceworks.master.execution.journal import Journal
from sliceworks.master.execution.leases import LeaseTable
from sliceworks.master.execution.links import LinkTable
from sliceworks.master.execution.model import Now, Rules, Slice
from sliceworks.master.execution.news import News
from sliceworks.master.execution.phase import (
    Ended,
    Ending,
    Going,
    Phase,
    deadline_ms,
    end_probation,
    natural_end,
    note_failure,
    too_late,
)
from sliceworks.master.execution.queue import SliceQueue
from sliceworks.master.execution.recovery import Inheritance, TakingUp
from sliceworks.master.execution.statistics import OperationSums, StatisticsView
from sliceworks.master.execution.supply import MAX_DEATHS, Supply
from sliceworks.master.store.batch import SliceRow, Snapshot
from sliceworks.protocol.messages import (
    ControllerReport,
    RecallSlices,
    Refused,
    SlicerFailed,
    SlicerReady,
    SlicesMade,
    SlicingFinished,
    StopSlicing,
    Wishes,
)
from sliceworks.protocol.timings import Timings

PAGE: Final = 2_000
RECALL_PERIOD_MS: Final = 50
_ENDING_NAMES: Final = {"stopped": "stopping", "completed": "running"}  # until the outcome is applied
FLOOR_PERIOD_MS: Final = 1_000


class ExecutionMachine:
    """One execution under one generation of its controller."""

    def __init__(
        self,
        ex_id: str,
        *,
        slicers: int,
        rules: Rules,
        snapshot: Snapshot,
        wishes: Wishes,
        now: Now,
        inheritance: Inheritance | None = None,
    ) -> None:
        self._ex_id = ex_id
        self._rules = rules
        self._wishes = wishes
        self._head = snapshot.head
        self._phase: Phase = Going(failing=bool(snapshot.head.failure) and not rules.persistent)
        self._journal = Journal(snapshot.head, snapshot.batch)
        self._queue = SliceQueue()
        self._supply = Supply(slicers, snapshot.slicers, snapshot.last_seq)
        self._taking_up = TakingUp(inheritance, snapshot.head, snapshot.last_copy)
        self._leases = LeaseTable(
            queue=self._queue, journal=self._journal, rules=rules, on_error=self._note_error
        )
        self._links = LinkTable(
            snapshot.nodes, leases=self._leases, journal=self._journal, rules=rules, now=now
        )
        self._timings = Timings()
        self._dispatcher = Dispatcher(self._queue, self._journal, self._timings)
        self._operations = OperationSums(snapshot.operations)
        self._adopted = self._adopt(snapshot.leases)
        self._backlog_after: int | None = snapshot.head.floor_seq - 1 if snapshot.head.pending else None
        self._loading = False
        self._resumed = snapshot.batch > 0
        self._trouble = ""
        self._workerless_since_ms = now.monotonic_ms
        self._floor_due_ms = now.monotonic_ms
        self._news: News | None = None  # only for a slicer that wants any

    # --- what the shell calls

    def start(self, now: Now) -> list[ev.Effect]:
        """The first effects of this generation."""
        if self._head.outcome is not None:
            self._phase = Ended(self._head.outcome, self._head.outcome_failure or "")
            return [ev.Finish(self._phase.status, self._phase.failure)]
        if self._head.started_ms is None:
            self._head.started_ms = now.wall_ms
        self._journal.touch()
        if self._taking_up.ends_execution:
            self._supply.close()
        out = self._begin_slicing(now) if self._taking_up.finished else []
        return out + self._wish(self._wishes) + self._advance(now)

    def handle(self, event: ev.Event, now: Now) -> list[ev.Effect]:
        """Take in one event."""
        return self._react(event, now) + self._advance(now)

    def flush(self, now: Now) -> list[ev.Effect]:
        """The next batch to write, if there is one and none is on its way."""
        if now.monotonic_ms >= self._floor_due_ms and not self._journal.writing:
            self._floor_due_ms = now.monotonic_ms + FLOOR_PERIOD_MS
            self._head.floor_seq = self._floor()
        batch, effects = self._journal.take()
        if batch is not None and self._news:
            self._news.taken(batch)
        return [ev.Write(batch)] if batch is not None else effects

    def report(self) -> ControllerReport:
        """What the master is told."""
        return StatisticsView(self._head, self._links, self._queue).report(
            phase=self._phase_name(),
            reason=self._reason(),
            slicers=self._supply.slicers,
            operations=self._operations.totals(),
            timings=self._timings.told(),
        )

    def next_due_ms(self, now: Now) -> int | None:
        """When `TimePassed` is wanted, on the monotonic clock."""
        dues = [self._queue.next_due_ms, self._links.next_due_ms, self._workerless_due_ms()]
        if self._news:
            dues.append(self._news.next_due_ms)
        if isinstance(self._phase, Ending):
            dues.append(self._phase.until_ms)
        if isinstance(self._phase, Going):
            dues += [self._phase.failing_until_ms, deadline_ms(self._head, self._rules, now)]
            if self._links.unbalanced and not self._queue:
                dues.append(now.monotonic_ms + RECALL_PERIOD_MS)
        return min((due for due in dues if due is not None), default=None)

    # --- events

    def _react(self, event: ev.Event, now: Now) -> list[ev.Effect]:
        match event:
            case ev.ResultsArrived():
                self._take_results(event, now)
            case SlicesMade():
                self._take_slices(event, now)
            case ev.Written(number):
                return self._written(number, now)
            case ev.LinkOpened(connection, hello):
                replaced = self._links.opened(connection, hello, now)
                return [ev.Send(number, Refused("replaced by a newer connection")) for number in replaced]
            case ev.LinkReported() | ev.LinkClosed():
                self._take_link(event, now)
            case ev.PendingLoaded() | ev.LineageLoaded() | ev.LineageFailed():
                return self._loaded(event, now)
            case ev.TimePassed():
                return self._time_passed(now)
            case ev.StoreTroubled(reason):
                self._trouble = reason
                return [ev.ReportNow()]
            case Wishes():
                return self._wish(event)
            case _:
                return self._slicer_event(event, now)
        return []

    def _written(self, number: int, now: Now) -> list[ev.Effect]:
        news = self._news.written() if self._news else []
        sends = self._journal.written(number)
        for grant in self._journal.unsent():
            self._leases.take_back(grant, now)
        return [*map(ev.ToSlicer, news), *sends, *self._recall_all()]

    def _loaded(
        self, event: ev.PendingLoaded | ev.LineageLoaded | ev.LineageFailed, now: Now
    ) -> list[ev.Effect]:
        match event:
            case ev.PendingLoaded(rows, complete):
                self._take_page(rows, complete=complete)
                return []
            case ev.LineageLoaded():
                return self._take_up(event, now)
            case ev.LineageFailed(error):
                return self._begin_ending("failed", f"execution {self._ex_id} cannot recover: {error}")

    def _take_up(self, page: ev.LineageLoaded, now: Now) -> list[ev.Effect]:
        """Slices of the lineage; what comes too late is left where it is."""
        if not isinstance(self._phase, Going):
            return []
        items = self._supply.copy(page.slices, now)
        for item in items:
            self._journal.copy(item)
        self._queue.extend(items)
        self._taking_up.took(items, complete=page.complete)
        if not page.complete:
            return []
        for row in self._supply.inherit(page.slicers):
            self._journal.put_slicer(row)
        self._journal.touch()
        return self._begin_slicing(now)

    def _begin_slicing(self, now: Now) -> list[ev.Effect]:
        if not self._supply.finished:
            return [ev.StartSlicer(self._supply.recovery())]
        if self._head.queuing_complete_ms is None:
            self._head.queuing_complete_ms = now.wall_ms
        return []

    def _take_slices(self, made: SlicesMade, now: Now) -> None:
        items, row = self._supply.take(made, now)
        for item in items:
            self._journal.insert(item)
        self._queue.extend(items)
        self._journal.put_slicer(row)

    def _take_results(self, event: ev.ResultsArrived, now: Now) -> None:
        link = self._links.by_connection(event.connection)
        if link is None:
            return
        results = event.results
        self._links.resize(link, results.window)
        link.recalling = False
        accepted = self._leases.settle(link, results, now)
        if accepted == len(results.seqs):
            self._timings.ran(results.kinds, results.run_us)
        if accepted and results.operations:
            self._journal.put_operations(self._operations.add(results.operations))
        self._journal.acknowledge(event.connection, results.batch)
        self._dispatcher.note(link)

    def _take_link(self, event: ev.LinkClosed | ev.LinkReported, now: Now) -> None:
        match event:
            case ev.LinkReported(connection, state):
                link = self._links.reported(connection, state)
                if link is not None:
                    self._dispatcher.note(link)
            case ev.LinkClosed(connection):
                link = self._links.closed(connection, now)
                if link is not None:
                    self._dispatcher.forget(link)
                    self._workerless_since_ms = now.monotonic_ms

    def _slicer_event(
        self, event: SlicerReady | SlicingFinished | SlicerFailed | ev.SlicerDied, now: Now
    ) -> list[ev.Effect]:
        match event:
            case SlicerReady():
                return self._slicer_ready(event, now)
            case SlicingFinished(slicer_id):
                self._journal.put_slicer(self._supply.finish(slicer_id))
                if not self._supply.finished:
                    return []
                self._head.queuing_complete_ms = now.wall_ms
                return [] if self._news else [ev.ToSlicer(StopSlicing())]
            case SlicerFailed(error):
                text = f"slicer for ex {self._ex_id} had an error, shutting down execution, caused by {error}"
                return self._begin_ending("failed", text)
            case ev.SlicerDied(description):
                return self._slicer_died(description)

    def _slicer_ready(self, event: SlicerReady, now: Now) -> list[ev.Effect]:
        if event.hooks:
            self._news = News(self._ex_id, event.hooks, now.monotonic_ms)
            self._news.know([*self._leases.held.values(), *self._queue.all()])
        resumed = self._supply.started
        self._resumed = False
        rows = self._supply.begin(event.slicers, event.max_queue_length)
        if isinstance(self._phase, Going):
            for row in rows:
                self._journal.put_slicer(row)
        if resumed and not event.recoverable:
            text = f"the reader of ex {self._ex_id} is not recoverable and its slicing had not finished"
            return self._begin_ending("terminated", text)
        return [ev.ReportNow()]

    def _slicer_died(self, description: str) -> list[ev.Effect]:
        if self._supply.finished or not isinstance(self._phase, Going):
            return []
        self._supply.deaths += 1
        self._supply.restart()
        if self._supply.deaths > MAX_DEATHS:
            return self._begin_ending(
                "failed", f"the slicer process of ex {self._ex_id} died again: {description}"
            )
        return [ev.StartSlicer(self._supply.recovery())]

    def _wish(self, wishes: Wishes) -> list[ev.Effect]:
        self._wishes = wishes
        if wishes.stopping and not wishes.grace_ms:
            self._links.hurry()
        if wishes.stopping:
            return self._begin_ending("stopped", "")
        return [ev.ReportNow()]

    def _time_passed(self, now: Now) -> list[ev.Effect]:
        self._queue.release_due(now.monotonic_ms)
        told: list[ev.Effect] = []
        if self._news:
            told += map(ev.ToSlicer, self._news.statistics(now.monotonic_ms, self.report().statistics))
        return told + self._times_up(now)

    def _times_up(self, now: Now) -> list[ev.Effect]:
        for link in self._links.expire(now):
            self._dispatcher.forget(link)
        match self._phase:
            case Going():
                end_probation(self._phase, self._head, now)
                late = self._check_deadline(now) or self._fail_without_workers(now)
                return late + self._dispatcher.recalls(self._links.all())
            case Ending(_, failure, until_ms) if until_ms is not None and now.monotonic_ms >= until_ms:
                for link in self._links.all():
                    self._leases.revoke(link, failure, now)
        return []

    # --- after each event

    def _advance(self, now: Now) -> list[ev.Effect]:
        if not isinstance(self._phase, Going):
            return self._conclude(now)
        if self._wishes.paused or self._trouble:
            return []
        self._dispatcher.dispatch(self._leases.held, now)
        out: list[ev.Effect] = self._load_more()
        if self._backlog_after is None:
            out += self._taking_up.wanted(self._queue)
            waiting = len(self._queue) + self._queue.delayed
            wants = self._supply.wants(
                windows=self._links.windows, queued=waiting, queued_bytes=self._queue.size
            )
            out += [ev.ToSlicer(want) for want in wants]
        if self._all_done():
            self._phase = natural_end(self._head, self._ex_id)
            return out + self._conclude(now)
        return out

    def _all_done(self) -> bool:
        idle = not (self._leases.held or self._queue or self._queue.delayed)
        return idle and self._backlog_after is None and self._taking_up.finished and self._supply.finished

    def _conclude(self, now: Now) -> list[ev.Effect]:
        if not isinstance(self._phase, Ending) or self._leases.held:
            return []
        self._phase = Ended(self._phase.status, self._phase.failure)
        head = self._head
        head.outcome, head.outcome_failure, head.ended_ms = (
            self._phase.status,
            self._phase.failure,
            now.wall_ms,
        )
        if self._phase.failure:
            head.failure = self._phase.failure
        self._journal.touch()
        if self._news:
            self._journal.then(ev.ToSlicer(StopSlicing()))
        self._journal.then(ev.Finish(self._phase.status, self._phase.failure))
        return []

    def _begin_ending(self, status: str, failure: str) -> list[ev.Effect]:
        return self._end_with(Ending(status, failure))

    def _check_deadline(self, now: Now) -> list[ev.Effect]:
        due = deadline_ms(self._head, self._rules, now)
        if due is None or now.monotonic_ms < due:
            return []
        return self._end_with(too_late(self._ex_id, self._rules, now))

    def _end_with(self, ending: Ending) -> list[ev.Effect]:
        if not isinstance(self._phase, Going):
            return []
        self._phase = ending
        return [ev.ToSlicer(StopSlicing()), ev.ReportNow(), *self._recall_all()]

    def _recall_all(self) -> list[ev.Effect]:
        if not isinstance(self._phase, Ending):
            return []
        return [
            ev.Send(link.connection, RecallSlices(link.outstanding))
            for link in self._links.all()
            if link.connection is not None and link.outstanding
        ]

    def _note_error(self, now: Now) -> None:
        if isinstance(self._phase, Going):
            note_failure(self._phase, self._head, ex_id=self._ex_id, rules=self._rules, now=now)

    # --- slices of an earlier generation

    def _adopt(self, rows: list[SliceRow]) -> set[int]:
        for row in rows:
            self._leases.adopt(_slice_of(row), self._links.of_node(row.node))
        return {row.seq for row in rows}

    def _load_more(self) -> list[ev.Effect]:
        if self._backlog_after is None or self._loading or len(self._queue) > PAGE // 2:
            return []
        self._loading = True
        return [ev.LoadPending(self._backlog_after, PAGE)]

    def _take_page(self, rows: list[SliceRow], *, complete: bool) -> None:
        self._loading = False
        items = [_slice_of(row) for row in rows if row.seq not in self._adopted]
        self._queue.extend(items)
        if self._news:
            self._news.know(items)
        self._backlog_after = None if complete or not rows else rows[-1].seq

    def _floor(self) -> int:
        """Below this seq every slice is done, so that a successor need not look there."""
        if self._backlog_after is not None:
            return self._head.floor_seq
        lowest = [*self._leases.held, self._queue.lowest_seq() or self._supply.next_seq]
        return min(lowest)

    # --- waiting for workers

    def _workerless_due_ms(self) -> int | None:
        timeout = self._workerless_timeout_ms()
        return self._workerless_since_ms + timeout if timeout and isinstance(self._phase, Going) else None

    def _workerless_timeout_ms(self) -> int:
        if self._links.available:
            return 0
        ever = self._head.workers_joined > 0
        return self._rules.worker_disconnect_timeout_ms if ever else self._rules.slicer_timeout_ms

    def _fail_without_workers(self, now: Now) -> list[ev.Effect]:
        due = self._workerless_due_ms()
        if due is None or now.monotonic_ms < due:
            return []
        waited = f"{self._workerless_timeout_ms() // 1000}s"
        if self._head.workers_joined:
            return self._begin_ending(
                "failed", f"All workers have been disconnected from slicer for: {waited}"
            )
        return self._begin_ending(
            "failed", f"No workers have connected to slicer in the allotted time: {waited}"
        )

    # --- what is said

    def _phase_name(self) -> str:
        if not isinstance(self._phase, Going):
            return _ENDING_NAMES.get(self._phase.status, "failing")
        if self._wishes.paused:
            return "paused"
        if self._resumed and not self._supply.finished:
            return "recovering"
        if self._phase.failing:
            return "failing"
        return "recovering" if self._taking_up.is_going_on(self._floor) else "running"

    def _reason(self) -> str:
        if self._trouble:
            return self._trouble
        if isinstance(self._phase, Going) and not self._links.available:
            return (
                self._links.start_error or f"waiting for workers: 0 of {self._wishes.workers} are connected"
            )
        return ""


def _slice_of(row: SliceRow) -> Slice:
    return Slice(
        row.seq,
        row.slicer_id,
        row.slicer_order,
        row.request,
        epoch=row.epoch,
        op_errors=row.op_errors,
        losses=row.losses,
        slice_id=row.slice_id,
    )
