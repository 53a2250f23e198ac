"""A pool under random orders of events: no lease is lost or doubled, whoever dies and whatever is cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sliceworks.protocol.ids import WorkerId
from sliceworks.protocol.messages import HostResults, RunSlices, SliceResults
from sliceworks.protocol.states import ResultKind
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
    Peer,
    PeerFound,
    PeerLost,
    PoolEnded,
    Recalled,
    ResultsAcked,
    SendLinkState,
    SendResults,
    SlicesGranted,
    SpawnWorker,
    Tick,
    TurnEnded,
    Unassigned,
    WakeAt,
    WorkerExited,
    WorkerReady,
    WorkerResults,
    WorkerSeen,
    WorkerStartFailed,
)
from sliceworks.worker.machine import PoolMachine, PoolRules

Lease = tuple[int, int]
TIMEOUT_MS = 5_000
SLICE_TIMEOUT_MS = 2_000
RARELY = st.integers(0, 4)  # a rule happens on 0


@dataclass
class FakeWorker:
    """What a worker process knows."""

    ready: bool = False
    finishing: bool = False
    killed: bool = False
    todo: list[Lease] = field(default_factory=list)


class AnyOrder(RuleBasedStateMachine):
    """The world round one machine: a controller, a master, and worker processes."""

    @initialize(prefetch=st.booleans(), eager=st.booleans(), workers=st.integers(0, 3), ready=st.booleans())
    def start(self, prefetch: bool, eager: bool, workers: int, ready: bool) -> None:
        self.prefetch = prefetch
        self.eager = eager  # each event is a turn
        self.now = 0
        ids = count(1)
        new_id: Callable[[], WorkerId] = lambda: WorkerId(next(ids))  # noqa: E731 - typed
        self.machine = PoolMachine(
            PoolRules("ex", prefetch, TIMEOUT_MS, 1, new_id, SLICE_TIMEOUT_MS), self.now
        )
        self.workers: dict[WorkerId, FakeWorker] = {}
        self.granted: set[Lease] = set()
        self.given: set[Lease] = set()
        self.batches: dict[int, SliceResults] = {}
        self.acked = 0
        self.linked = False
        self.next_seq = 1
        self.window = 0
        self.wake_at: int | None = None
        self.over = False
        self.quiet = False
        self.feed(Assigned(workers, 500, 1))
        if ready:
            self.link()
            self.end_turn(0)
            self.begin_all()
            self.grant(6, 1)
            self.end_turn(0)

    def feed(self, event: Event) -> None:
        if self.over:
            return
        self.carry_out(self.machine.handle(event, self.now))
        self.quiet = False
        if self.eager and not isinstance(event, TurnEnded):
            self.end_turn(0)

    def carry_out(self, effects: list[Effect]) -> None:  # noqa: C901 - one case for each effect
        for effect in effects:
            match effect:
                case SpawnWorker(worker_id):
                    assert worker_id not in self.workers
                    self.workers[worker_id] = FakeWorker()
                case GiveSlices(worker_id, slices):
                    self.give(self.workers[worker_id], slices)
                case FinishWorker(worker_id):
                    self.workers[worker_id].finishing = True
                case KillWorker(worker_id):
                    self.workers[worker_id].killed = True
                case LookAtWorker(worker_id):
                    todo = self.workers[worker_id].todo
                    seen = WorkerSeen(worker_id, todo[0][0] if todo else 0, self.now - SLICE_TIMEOUT_MS)
                    self.carry_out(self.machine.handle(seen, self.now))
                case SendResults(results):
                    self.receive(results)
                case SendLinkState(state):
                    assert self.linked
                    self.window = state.window
                case WakeAt(at_ms):
                    self.wake_at = at_ms
                case PoolEnded():
                    self.over = True
                case NodeChanged():
                    pass

    def give(self, worker: FakeWorker, slices: RunSlices) -> None:
        leases = list(zip(slices.seqs, slices.epochs, strict=True))
        assert worker.ready
        assert not worker.finishing
        assert not worker.killed
        assert not self.given & set(leases), "given twice"
        assert self.granted >= set(leases)
        self.given |= set(leases)
        worker.todo += leases
        assert self.prefetch or len(worker.todo) == 1

    def receive(self, results: SliceResults) -> None:
        assert self.linked
        assert results.window >= 0
        self.window = results.window
        known = self.batches.setdefault(results.batch, results)
        assert (known.seqs, known.epochs, known.kinds) == (results.seqs, results.epochs, results.kinds)

    # --- the controller

    @rule(size=st.integers(1, 20), epoch=st.integers(1, 3))
    def grant(self, size: int, epoch: int) -> None:
        if not self.linked or self.over:
            return
        seqs = list(range(self.next_seq, self.next_seq + size))
        self.next_seq += size
        self.granted |= {(seq, epoch) for seq in seqs}
        self.feed(SlicesGranted(RunSlices(seqs, [epoch] * size, [b"{}"] * size, {seqs[0]: "x"})))

    @precondition(lambda self: self.batches)
    @rule(data=st.data())
    def ack(self, data: st.DataObject) -> None:
        if self.linked:
            self.acked = data.draw(st.integers(self.acked, max(self.batches)))
            self.feed(ResultsAcked(self.acked))

    @rule(size=st.integers(1, 30))
    def recall(self, size: int) -> None:
        if self.linked:
            self.feed(Recalled(size))

    @rule()
    def link(self) -> None:
        if self.linked or self.over:
            return
        self.linked = True
        before = [number for number in self.batches if number > self.acked]
        effects = self.machine.handle(PeerFound(Peer.CONTROLLER), self.now)
        again = [effect.results.batch for effect in effects if isinstance(effect, SendResults)]
        assert again == sorted(again)
        assert set(again) >= set(before)
        self.carry_out(effects)

    @rule(luck=RARELY)
    def unlink(self, luck: int = 0) -> None:
        if luck:
            return
        self.linked = False
        self.feed(PeerLost(Peer.CONTROLLER))

    # --- the master

    @rule(
        luck=RARELY,
        workers=st.integers(0, 4),
        grace_ms=st.sampled_from([0, 100, 1_000]),
        generation=st.integers(1, 3),
    )
    def assign(self, luck: int, workers: int, grace_ms: int, generation: int) -> None:
        if not luck:
            self.feed(Assigned(workers, grace_ms, generation))

    @rule(luck=RARELY)
    def unassign(self, luck: int = 0) -> None:
        if luck:
            return
        self.feed(Unassigned())

    @rule(luck=RARELY, found=st.booleans())
    def master(self, luck: int, found: bool) -> None:
        if luck:
            return
        self.feed(PeerFound(Peer.MASTER) if found else PeerLost(Peer.MASTER))

    @rule(luck=RARELY)
    def drain(self, luck: int = 0) -> None:
        if luck:
            return
        self.feed(DrainStarted(500))

    # --- the workers

    def begin_all(self) -> None:
        for worker_id, worker in self.workers.items():
            worker.ready = True
            self.feed(WorkerReady(worker_id))

    @precondition(lambda self: self.workers)
    @rule(data=st.data(), fails=st.integers(0, 4))
    def begin(self, data: st.DataObject, fails: int) -> None:
        worker_id = data.draw(st.sampled_from(sorted(self.workers)))
        worker = self.workers[worker_id]
        if worker.ready or worker.killed:
            return
        if fails == 0:
            self.feed(WorkerStartFailed(worker_id, "no"))
            return
        worker.ready = True
        self.feed(WorkerReady(worker_id))

    @precondition(lambda self: any(worker.todo for worker in self.workers.values()))
    @rule(data=st.data(), size=st.integers(1, 40), run_us=st.sampled_from([1, 50, 900, 2_000, 60_000]))
    def work(self, data: st.DataObject, size: int, run_us: int) -> None:
        busy = sorted(worker_id for worker_id, worker in self.workers.items() if worker.todo)
        worker_id = data.draw(st.sampled_from(busy))
        self.answer(worker_id, size, run_us)

    def answer(self, worker_id: WorkerId, size: int, run_us: int) -> None:
        worker = self.workers[worker_id]
        done, worker.todo = worker.todo[:size], worker.todo[size:]
        kind = ResultKind.COMPLETED
        columns = [lease[0] for lease in done], [lease[1] for lease in done], bytes([kind]) * len(done)
        frame = HostResults(*columns, [1] * len(done), [run_us] * len(done), {}, [])
        self.feed(WorkerResults(worker_id, frame))

    @precondition(lambda self: self.workers)
    @rule(data=st.data(), nothing_in_hand=st.sampled_from([None, None, 0, 10**9]))
    def die(self, data: st.DataObject, nothing_in_hand: int | None) -> None:
        busy = [worker_id for worker_id, worker in self.workers.items() if worker.todo]
        worker_id = data.draw(st.sampled_from(sorted(busy or self.workers)))
        worker = self.workers.pop(worker_id)
        first = worker.todo[0][0] if worker.todo else 0
        seq = first if nothing_in_hand is None else nothing_in_hand
        self.feed(WorkerExited(worker_id, "worker died", None, 9, seq=seq, op="noop"))

    # --- time

    @rule(step_ms=st.sampled_from([0, 1, 100, 600, 6_000]))
    def end_turn(self, step_ms: int) -> None:
        self.now += step_ms
        if self.wake_at is not None and self.now >= self.wake_at:
            self.wake_at = None
            self.feed(Tick())
        self.feed(TurnEnded())
        self.quiet = True

    @invariant()
    def every_lease_is_held_or_acknowledged(self) -> None:
        acked = [
            lease
            for number, batch in self.batches.items()
            if number <= self.acked
            for lease in zip(batch.seqs, batch.epochs, strict=True)
        ]
        held = self.machine.held()
        assert len(set(held)) == len(held)
        assert len(set(acked)) == len(acked)
        assert not set(held) & set(acked)
        assert self.over or set(held) | set(acked) == self.granted

    @invariant()
    def each_lease_has_at_most_one_result(self) -> None:
        told = [
            lease for batch in self.batches.values() for lease in zip(batch.seqs, batch.epochs, strict=True)
        ]
        assert len(set(told)) == len(told)

    @invariant()
    def the_machine_knows_its_workers(self) -> None:
        assert self.over or {worker_id for worker_id, _ in self.machine.workers()} == set(self.workers)

    @invariant()
    def a_pool_ends_only_when_nothing_is_left(self) -> None:
        assert not (self.over and self.workers)

    @invariant()
    def nobody_idles_beside_a_queue(self) -> None:
        """After a turn a worker that could work is only idle if nothing waits."""
        if not self.quiet or self.over:
            return
        can_work = [w for w in self.workers.values() if w.ready and not w.finishing and not w.killed]
        in_workers = {lease for worker in self.workers.values() for lease in worker.todo}
        told = {
            lease for batch in self.batches.values() for lease in zip(batch.seqs, batch.epochs, strict=True)
        }
        waiting = set(self.machine.held()) - in_workers - told
        assert not (self.linked and waiting and any(not worker.todo for worker in can_work))

    def teardown(self) -> None:
        """In the end everything is answered."""
        if not hasattr(self, "machine") or self.over:
            return
        self.unassign()
        for worker_id in list(self.workers):
            self.answer(worker_id, 10**6, 5)
            del self.workers[worker_id]
            self.feed(WorkerExited(worker_id, "worker ended", 0, None))
        self.link()
        self.feed(TurnEnded())
        if self.batches and not self.over:
            self.acked = max(self.batches)
            self.feed(ResultsAcked(self.acked))
        self.feed(TurnEnded())
        self.every_lease_is_held_or_acknowledged()
        assert self.over


AnyOrder.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestAnyOrder = AnyOrder.TestCase
