"""When a worker is looked at, and which slice is overdue."""

from __future__ import annotations

from sliceworks.protocol.ids import WorkerId
from sliceworks.worker.contact import NEVER
from sliceworks.worker.crew import Crew, Dying, Ending, Ready, Worker
from sliceworks.worker.events import LookAtWorker, WorkerSeen
from sliceworks.worker.time_limit import SliceLimit

W = WorkerId(1)
LOOK = [LookAtWorker(W)]


def working(*seqs: int) -> tuple[Crew, Worker]:
    crew = Crew()
    crew.add(W, 0)
    worker = crew.get(W)
    assert worker
    crew.move(worker, Ready(0))
    worker.given.update(dict.fromkeys((seq, 1) for seq in seqs))
    return crew, worker


def test_without_a_limit_nobody_is_looked_at() -> None:
    crew, _ = working(1)
    limit = SliceLimit(0, crew)
    assert limit.watch(10**9) == []
    assert limit.due_at == NEVER


def test_a_slice_behind_another_has_its_own_time() -> None:
    crew, worker = working(1, 2)
    limit = SliceLimit(1_000, crew)
    assert limit.watch(0) == []
    assert limit.due_at == 1_000
    assert limit.watch(1_000) == LOOK
    assert not limit.is_overdue(worker, WorkerSeen(W, 2, 700), 1_000)
    limit.watch(1_001)
    assert limit.due_at == 1_700
    assert limit.watch(1_700) == LOOK
    assert limit.is_overdue(worker, WorkerSeen(W, 2, 700), 1_700)


def test_a_slice_whose_result_has_arrived_is_not_overdue() -> None:
    crew, worker = working(2)
    limit = SliceLimit(1_000, crew)
    assert not limit.is_overdue(worker, WorkerSeen(W, 1, 0), 9_000)
    assert not limit.is_overdue(worker, WorkerSeen(W, 0, 0), 9_000)


def test_an_idle_worker_is_left_alone_and_a_killed_one_too() -> None:
    crew, worker = working(1)
    limit = SliceLimit(1_000, crew)
    limit.watch(0)
    worker.given.clear()
    assert limit.watch(1_000) == []
    assert limit.due_at == NEVER
    worker.given[(2, 1)] = None
    crew.move(worker, Dying())
    assert limit.watch(9_000) == []
    assert not limit.is_overdue(worker, WorkerSeen(W, 2, 0), 9_000)


def test_a_worker_that_is_to_finish_has_no_more_time_than_others() -> None:
    crew, worker = working(1)
    limit = SliceLimit(1_000, crew)
    limit.watch(0)
    crew.move(worker, Ending(60_000))
    assert limit.watch(1_000) == LOOK
    assert limit.is_overdue(worker, WorkerSeen(W, 1, 0), 1_000)
    assert limit.text == "1s"
