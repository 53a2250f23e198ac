"""The queue keeps order, and what belongs to a slice stays with it."""

from __future__ import annotations

from sliceworks.protocol.messages import RunSlices
from sliceworks.worker.leases import LeaseQueue


def test_slices_come_out_in_order_with_their_extras() -> None:
    queue = LeaseQueue()
    queue.add(RunSlices([1, 2, 3], [1, 5, 1], [b"a", b"b", b"c"], {2: "two"}, {2: 4, 3: 1}))
    assert queue.take(2) == RunSlices([1, 2], [1, 5], [b"a", b"b"], {2: "two"}, {2: 4})
    assert queue.take(1) == RunSlices([3], [1], [b"c"], {}, {3: 1})
    assert len(queue) == 0


def test_the_newest_are_handed_back() -> None:
    queue = LeaseQueue()
    queue.add(RunSlices([1, 2, 3], [1, 1, 1], [b""] * 3, {3: "x"}, {3: 1}))
    assert queue.take_back(2) == [(3, 1), (2, 1)]
    assert queue.leases() == [(1, 1)]
    assert queue.take_back(5) == [(1, 1)]
    queue.add(RunSlices([3], [2], [b""]))
    assert queue.take(1) == RunSlices([3], [2], [b""])


def test_two_epochs_of_one_slice_are_two_leases() -> None:
    queue = LeaseQueue()
    queue.add(RunSlices([7], [1], [b"a"], {}, {}))
    queue.add(RunSlices([7], [2], [b"a"], {}, {7: 1}))
    assert queue.take(1).retries == {}
    assert queue.take(1).retries == {7: 1}


def test_a_hand_over_stays_under_the_limit_of_a_frame() -> None:
    queue = LeaseQueue()
    large = bytes(1_000_000)
    queue.add(RunSlices(list(range(1, 21)), [1] * 20, [large] * 20))
    taken = queue.take(20)
    assert taken.seqs == list(range(1, 9))
    assert queue.leases()[0] == (9, 1)
