"""One pool, event by event."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import TypeVar

import pytest

from sliceworks.protocol.ids import WorkerId
from sliceworks.protocol.messages import HostResults, LinkInfo, LinkState, RunSlices, SliceResults
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

E = TypeVar("E")

TIMEOUT_MS = 60_000
GRACE_MS = 1_000
COMPLETED, LOST, RETURNED = ResultKind.COMPLETED, ResultKind.LOST, ResultKind.RETURNED


class Pool:
    """A machine with its time; `turn` feeds events and ends the turn, and keeps what came out."""

    def __init__(self, *, prefetch: bool = True, workers: int = 0, slice_timeout_ms: int = 0) -> None:
        ids = count(1)
        new_id: Callable[[], WorkerId] = lambda: WorkerId(next(ids))  # noqa: E731 - typed
        rules = PoolRules("ex", prefetch, TIMEOUT_MS, 1, new_id, slice_timeout_ms)
        self.now = 1_000
        self.machine = PoolMachine(rules, self.now)
        self.effects: list[Effect] = []
        if workers:
            self.turn(Assigned(workers, GRACE_MS, 1))
            self.turn(*(WorkerReady(worker) for worker in self.spawned()), PeerFound(Peer.CONTROLLER))

    def turn(self, *events: Event, after_ms: int = 0) -> None:
        self.now += after_ms
        self.effects = []
        for event in (*events, TurnEnded()):
            self.effects += self.machine.handle(event, self.now)

    def all(self, kind: type[E]) -> list[E]:
        return [effect for effect in self.effects if isinstance(effect, kind)]

    def spawned(self) -> list[WorkerId]:
        return [effect.worker_id for effect in self.all(SpawnWorker)]

    def given(self) -> dict[int, list[int]]:
        out: dict[int, list[int]] = {}
        for effect in self.all(GiveSlices):
            out.setdefault(effect.worker_id, []).extend(effect.slices.seqs)
        return out

    def sent(self) -> list[SliceResults]:
        return [effect.results for effect in self.all(SendResults)]

    def kinds(self) -> dict[int, int]:
        return {seq: kind for batch in self.sent() for seq, kind in zip(batch.seqs, batch.kinds, strict=True)}

    def state(self) -> LinkState:
        return self.all(SendLinkState)[-1].state


def granted(*seqs: int) -> SlicesGranted:
    return SlicesGranted(RunSlices(list(seqs), [1] * len(seqs), [b"{}"] * len(seqs)))


def results(worker: int, *seqs: int, kind: int = COMPLETED, run_us: int = 10) -> WorkerResults:
    size = len(seqs)
    kinds = bytes([kind]) * size
    frame = HostResults(list(seqs), [1] * size, kinds, [5] * size, [run_us] * size, {}, [])
    return WorkerResults(WorkerId(worker), frame)


def exited(worker: int, *, seq: int = 0, op: str = "") -> WorkerExited:
    return WorkerExited(WorkerId(worker), "worker died", None, 9, seq=seq, op=op, started_ms=7, run_us=70)


def in_the_hands_of_one_worker(*, run_us: int = 40) -> Pool:
    """A pool of one worker whose slices are short, so that it is given several at once."""
    pool = Pool(workers=1)
    pool.turn(granted(1))
    pool.turn(results(1, 1, run_us=run_us))
    pool.turn(ResultsAcked(1))
    return pool


def test_workers_are_started_and_the_controller_hears_of_them() -> None:
    pool = Pool()
    pool.turn(Assigned(2, GRACE_MS, 1))
    assert pool.spawned() == [1, 2]
    assert pool.machine.workers() == [(1, "starting"), (2, "starting")]
    pool.turn(PeerFound(Peer.CONTROLLER))
    assert pool.state() == LinkState(available=0, active=0, joined=0, disconnected=0, window=0)
    pool.turn(WorkerReady(WorkerId(2)))
    assert pool.state() == LinkState(available=1, active=0, joined=1, disconnected=0, window=2)
    assert pool.all(NodeChanged)
    assert pool.machine.workers() == [(1, "starting"), (2, "idle")]


def test_slices_are_shared_among_the_workers() -> None:
    pool = Pool(workers=2)
    pool.turn(granted(1, 2, 3))
    assert pool.given() == {1: [1], 2: [2]}
    pool.turn(results(2, 2, run_us=9_000))
    assert pool.given() == {2: [3]}
    assert pool.kinds() == {2: COMPLETED}


def test_short_slices_are_given_in_batches_two_at_a_time() -> None:
    pool = in_the_hands_of_one_worker(run_us=40)
    pool.turn(granted(*range(2, 302)))
    assert [len(effect.slices.seqs) for effect in pool.all(GiveSlices)] == [100, 100]
    pool.turn(results(1, *range(2, 102), run_us=40))
    assert pool.given() == {1: list(range(202, 302))}


def test_of_slices_of_some_milliseconds_a_worker_has_the_next_one_in_hand() -> None:
    pool = in_the_hands_of_one_worker(run_us=5_000)
    pool.turn(granted(2, 3, 4))
    assert pool.given() == {1: [2, 3]}
    pool.turn(results(1, 2, run_us=5_000))
    assert pool.given() == {1: [4]}


def test_long_slices_are_given_one_at_a_time() -> None:
    pool = in_the_hands_of_one_worker(run_us=20_000)
    pool.turn(granted(2, 3, 4))
    assert pool.given() == {1: [2]}


def test_without_prefetch_a_worker_never_has_two() -> None:
    pool = Pool(prefetch=False, workers=2)
    pool.turn(granted(1, 2))
    pool.turn(results(1, 1, run_us=1), granted(3, 4))
    assert pool.given() == {1: [3]}
    assert pool.sent()[0].window == 2


def test_frames_of_one_turn_travel_as_one_batch() -> None:
    pool = Pool(workers=3)
    pool.turn(granted(1, 2, 3))
    pool.turn(results(3, 3), results(1, 1), results(2, 2))
    (batch,) = pool.sent()
    assert batch.seqs == [3, 1, 2]
    assert batch.workers == [3, 1, 2]


def test_results_of_slices_that_were_not_given_are_dropped() -> None:
    pool = Pool(workers=1)
    pool.turn(granted(1))
    pool.turn(results(1, 77, 1, 1), results(9, 1))
    assert pool.kinds() == {1: COMPLETED}
    assert pool.sent()[0].seqs == [1]
    pool.turn(results(1, 1), results(1))
    assert pool.sent() == []


def test_what_is_not_acknowledged_is_sent_again_in_order() -> None:
    pool = Pool(workers=1)
    pool.turn(granted(1))
    pool.turn(results(1, 1))
    pool.turn(PeerLost(Peer.CONTROLLER), granted(2))
    pool.turn(results(1, 2))
    assert pool.sent() == []
    assert sorted(pool.machine.held()) == [(1, 1), (2, 1)]
    pool.turn(PeerFound(Peer.CONTROLLER))
    assert [(batch.batch, batch.seqs) for batch in pool.sent()] == [(1, [1]), (2, [2])]
    assert isinstance(pool.effects[0], SendLinkState)
    pool.turn(ResultsAcked(2))
    assert pool.machine.held() == []
    pool.turn(PeerLost(Peer.CONTROLLER), PeerFound(Peer.CONTROLLER))
    assert pool.sent() == []


def test_only_slices_that_no_worker_has_are_recalled() -> None:
    pool = in_the_hands_of_one_worker(run_us=30_000)
    pool.turn(granted(2, 3, 4))
    pool.turn(Recalled(1))
    assert pool.kinds() == {4: RETURNED}
    pool.turn(Recalled(10))
    assert pool.kinds() == {3: RETURNED}
    pool.turn(Recalled(10))
    assert pool.sent() == []
    assert pool.all(SendLinkState)


def test_a_death_costs_the_slice_in_hand_and_returns_the_rest() -> None:
    pool = in_the_hands_of_one_worker()
    pool.turn(granted(2, 3, 4))
    pool.turn(exited(1, seq=3, op="noop"))
    (batch,) = pool.sent()
    assert pool.kinds() == {3: LOST, 2: RETURNED, 4: RETURNED}
    detail = batch.details[0]
    assert (detail.error, detail.op, detail.signal) == ("worker died in operation noop", "noop", 9)
    assert (batch.started_ms[0], batch.run_us[0]) == (7, 70)
    assert batch.workers == [1, 1, 1]
    assert pool.spawned() == [2]
    assert pool.state().disconnected == 1


def test_a_death_with_nothing_in_hand_costs_nothing() -> None:
    pool = Pool(workers=1)
    pool.turn(granted(1))
    pool.turn(results(1, 1))
    pool.turn(exited(1, seq=1))
    assert pool.sent() == []
    assert pool.spawned() == [2]


def test_queued_slices_wait_for_the_successor_of_a_dead_worker() -> None:
    pool = Pool(workers=1)
    pool.turn(granted(1, 2))
    pool.turn(exited(1, seq=1))
    assert pool.kinds() == {1: LOST}
    pool.turn(WorkerReady(WorkerId(2)))
    assert pool.given() == {2: [2]}


def test_workers_that_do_not_start_are_given_up_after_three_tries() -> None:
    pool = Pool()
    pool.turn(PeerFound(Peer.CONTROLLER), Assigned(2, GRACE_MS, 1))
    tries = []
    for _ in range(3):
        tries.append(pool.spawned())
        for worker in pool.spawned():
            pool.turn(WorkerStartFailed(worker, "Traceback"))
            assert pool.all(KillWorker)
            pool.turn(exited(worker))
        pool.turn(Tick(), after_ms=1_000)
    assert tries == [[1, 2], [3], [4]]
    assert pool.spawned() == []
    assert pool.machine.link_info() == LinkInfo(
        "ex", connected=True, start_failures=3, start_error="Traceback"
    )
    pool.turn(Assigned(2, GRACE_MS, 1))
    assert pool.spawned() == []
    pool.turn(Assigned(2, GRACE_MS, 2))
    assert pool.spawned() == [5, 6]


def test_a_worker_that_dies_while_it_starts_did_not_start() -> None:
    pool = Pool()
    pool.turn(Assigned(1, GRACE_MS, 1))
    pool.turn(exited(1))
    info = pool.machine.link_info()
    assert (info.start_failures, info.start_error) == (
        1,
        "worker died before its operations were initialized",
    )
    assert pool.all(WakeAt) == [WakeAt(pool.now + 200)]
    pool.turn(Tick(), after_ms=200)
    assert pool.spawned() == [2]


def test_slices_granted_where_nothing_starts_are_returned() -> None:
    pool = Pool(workers=1)
    pool.turn(exited(1), granted(1))
    pool.turn(exited(2))
    assert pool.kinds() == {1: RETURNED}


def test_surplus_workers_finish_the_emptiest_first() -> None:
    pool = Pool(workers=3)
    pool.turn(granted(1, 2))
    pool.turn(Assigned(1, GRACE_MS, 1))
    assert [effect.worker_id for effect in pool.all(FinishWorker)] == [3, 1]
    assert pool.state().available == 1
    pool.turn(results(1, 1))
    pool.turn(exited(1), exited(3))
    assert pool.sent() == []
    assert pool.machine.workers() == [(2, "busy")]


def test_a_starting_worker_that_is_not_wanted_is_killed() -> None:
    pool = Pool()
    pool.turn(Assigned(2, GRACE_MS, 1))
    pool.turn(WorkerReady(WorkerId(1)))
    pool.turn(Assigned(1, GRACE_MS, 1))
    assert [effect.worker_id for effect in pool.all(KillWorker)] == [2]
    pool.turn(WorkerReady(WorkerId(2)), exited(2))
    assert pool.machine.workers() == [(1, "idle")]
    assert pool.machine.link_info().start_failures == 0


def test_the_grace_ends_with_a_kill_and_the_slices_are_returned() -> None:
    pool = Pool(workers=1)
    pool.turn(granted(1))
    pool.turn(Tick(), after_ms=1_000)
    pool.turn(Assigned(0, GRACE_MS, 1))
    assert pool.all(WakeAt)[-1] == WakeAt(pool.now + GRACE_MS)
    pool.turn(Tick(), after_ms=GRACE_MS)
    assert [effect.worker_id for effect in pool.all(KillWorker)] == [1]
    pool.turn(exited(1, seq=1))
    assert pool.kinds() == {1: RETURNED}
    assert pool.sent()[0].started_ms == [7]
    assert not pool.all(PoolEnded)
    pool.turn(ResultsAcked(1))
    assert pool.all(PoolEnded)


def test_a_shorter_grace_holds_for_workers_that_are_ending() -> None:
    pool = Pool(workers=1)
    pool.turn(granted(1))
    pool.turn(Assigned(0, 60_000, 1))
    pool.turn(Assigned(0, 0, 1), after_ms=5)
    assert pool.all(KillWorker)


def test_a_worker_that_crashes_while_it_ends_loses_its_slice() -> None:
    pool = Pool(workers=1)
    pool.turn(granted(1))
    pool.turn(Assigned(0, GRACE_MS, 1))
    pool.turn(exited(1, seq=1))
    assert pool.kinds() == {1: LOST}


def test_slices_are_returned_as_soon_as_no_worker_is_wanted() -> None:
    pool = Pool(workers=1)
    pool.turn(granted(1, 2, 3))
    pool.turn(Unassigned())
    assert pool.kinds() == {3: RETURNED, 2: RETURNED}
    assert pool.state().window == 0
    pool.turn(granted(4))
    assert pool.kinds() == {4: RETURNED}


def test_an_ended_pool_does_not_wait_for_a_controller_that_is_gone() -> None:
    pool = Pool(workers=1)
    pool.turn(granted(1))
    pool.turn(results(1, 1))
    pool.turn(Unassigned())
    pool.turn(exited(1))
    assert not pool.all(PoolEnded)
    pool.turn(PeerLost(Peer.CONTROLLER))
    assert pool.all(PoolEnded)
    assert pool.machine.has_untold


def test_a_pool_whose_results_are_all_acknowledged_forgets_none_by_its_end() -> None:
    pool = Pool(workers=1)
    pool.turn(granted(1))
    pool.turn(results(1, 1))
    pool.turn(ResultsAcked(1))
    pool.turn(PeerLost(Peer.CONTROLLER), Unassigned())
    pool.turn(exited(1))
    assert pool.all(PoolEnded)
    assert not pool.machine.has_untold


def test_a_pool_without_workers_that_is_still_listed_waits_for_its_controller() -> None:
    pool = Pool(workers=1)
    pool.turn(granted(1))
    pool.turn(PeerLost(Peer.CONTROLLER), results(1, 1))
    pool.turn(Assigned(0, GRACE_MS, 1))
    pool.turn(exited(1))
    assert not pool.all(PoolEnded)
    pool.turn(Assigned(1, GRACE_MS, 1))
    assert pool.spawned() == [2]


def test_a_drain_outlasts_assignments() -> None:
    pool = Pool(workers=2)
    pool.turn(granted(1, 2, 3, 4))
    pool.turn(DrainStarted(5_000))
    assert len(pool.all(FinishWorker)) == 2
    assert pool.kinds() == {4: RETURNED, 3: RETURNED}
    pool.turn(Assigned(4, GRACE_MS, 9), Unassigned())
    assert pool.spawned() == []
    pool.turn(Tick(), after_ms=GRACE_MS)
    assert not pool.all(KillWorker)
    pool.turn(Tick(), after_ms=5_000)
    assert len(pool.all(KillWorker)) == 2


def test_a_pool_that_is_cut_off_kills_its_workers_and_comes_back() -> None:
    pool = Pool(workers=1)
    pool.turn(granted(1, 2))
    pool.turn(Tick(), PeerLost(Peer.MASTER), after_ms=1_000)
    pool.turn(PeerLost(Peer.CONTROLLER), after_ms=10_000)
    assert pool.all(WakeAt)[-1] == WakeAt(pool.now + TIMEOUT_MS)
    pool.turn(Tick(), after_ms=TIMEOUT_MS - 1)
    assert not pool.all(KillWorker)
    pool.turn(Tick(), after_ms=1)
    assert pool.all(KillWorker)
    pool.turn(exited(1, seq=1))
    assert not pool.all(PoolEnded)
    pool.turn(PeerFound(Peer.MASTER))
    pool.turn(Assigned(1, GRACE_MS, 1))
    assert pool.spawned() == [2]
    pool.turn(PeerFound(Peer.CONTROLLER))
    assert pool.kinds() == {1: RETURNED, 2: RETURNED}


def test_idle_and_busy_are_told_now_and_then() -> None:
    pool = Pool(workers=1)
    pool.turn(after_ms=10_000)
    pool.turn(granted(1))
    assert pool.all(NodeChanged)
    assert pool.state().active == 1
    for seq in range(2, 50):
        pool.turn(results(1, seq - 1), after_ms=5)
        assert not pool.all(NodeChanged)
        pool.turn(granted(seq))
        assert not pool.all(SendLinkState)
    pool.turn(results(1, 49))
    assert not pool.all(NodeChanged)
    pool.turn(Tick(), after_ms=500)
    assert pool.all(NodeChanged)
    assert pool.state().active == 0


def test_a_wake_is_asked_for_once() -> None:
    pool = Pool(workers=1)
    pool.turn(granted(1))
    assert len(pool.all(WakeAt)) == 1
    pool.turn(results(1, 1), granted(2))
    assert pool.all(WakeAt) == []


@pytest.mark.parametrize("workers", [1, 3])
def test_the_window_follows_the_workers(workers: int) -> None:
    pool = Pool(workers=workers)
    assert pool.state().window == 2 * workers


def test_a_slice_in_hand_for_too_long_ends_its_worker_and_the_one_behind_it_is_returned() -> None:
    pool = Pool(workers=1, slice_timeout_ms=3_000)
    pool.turn(granted(1))
    pool.turn(results(1, 1, run_us=1_500))
    pool.turn(granted(2, 3))
    begun_ms = pool.now
    pool.turn(Tick(), after_ms=3_000)
    assert pool.all(LookAtWorker)
    pool.turn(WorkerSeen(WorkerId(1), 2, begun_ms))
    assert pool.all(KillWorker) == [KillWorker(WorkerId(1))]
    assert pool.spawned() == [2]
    assert not pool.kinds()
    dead = WorkerExited(WorkerId(1), "worker died", None, 9, 2, "delay", 7, 70, "last words")
    pool.turn(dead)
    assert pool.kinds() == {2: ResultKind.TIMED_OUT, 3: RETURNED}
    (detail,) = pool.sent()[0].details.values()
    assert (
        detail.error == "the slice took longer than its slice_timeout of 3s: worker died in operation delay"
    )
    assert (detail.op, detail.signal, detail.log_tail) == ("delay", 9, "last words")


def test_a_slice_that_ended_just_before_the_kill_is_not_timed_out() -> None:
    pool = Pool(workers=1, slice_timeout_ms=3_000)
    pool.turn(granted(1))
    pool.turn(WorkerSeen(WorkerId(1), 1, pool.now - 3_000))
    pool.turn(results(1, 1))
    pool.turn(exited(1))
    assert pool.all(SendResults) == []
    pool.machine.handle(ResultsAcked(1), pool.now)
    assert pool.machine.held() == []


def test_a_worker_is_looked_at_when_its_slice_may_be_overdue() -> None:
    pool = Pool(workers=1, slice_timeout_ms=3_000)
    pool.turn(granted(1))
    assert min(effect.at_ms for effect in pool.all(WakeAt)) <= pool.now + 3_000
    pool.turn(Tick(), after_ms=2_999)
    assert not pool.all(LookAtWorker)
    pool.turn(Tick(), after_ms=1)
    assert pool.all(LookAtWorker) == [LookAtWorker(WorkerId(1))]
