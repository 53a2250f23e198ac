"""The queue keeps order, holds back delayed slices, and knows its size."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sliceworks.master.execution.model import Slice
from sliceworks.master.execution.queue import SliceQueue


def slices(*seqs: int) -> list[Slice]:
    return [Slice(seq, 0, seq, b"x" * seq) for seq in seqs]


def test_first_in_first_out_and_returned_first() -> None:
    queue = SliceQueue()
    queue.extend(slices(1, 2, 3))
    (first,) = queue.take(1)
    queue.put_back(first)
    assert [item.seq for item in queue.take(5)] == [1, 2, 3]


def test_a_delayed_slice_waits_for_its_time() -> None:
    queue = SliceQueue()
    (item,) = slices(4)
    queue.put_back(item, due_ms=100)
    assert (len(queue), queue.delayed, queue.next_due_ms, queue.lowest_seq()) == (0, 1, 100, 4)
    queue.release_due(99)
    assert not queue
    queue.release_due(100)
    assert [i.seq for i in queue.take(1)] == [4]


@given(st.lists(st.tuples(st.sampled_from("atdr"), st.integers(1, 9))))
def test_size_is_what_it_holds(steps: list[tuple[str, int]]) -> None:
    queue, held, taken = SliceQueue(), 0, list[Slice]()
    for seq, (step, number) in enumerate(steps, start=1):
        if step == "a":
            queue.extend(slices(seq))
            held += seq
        elif step == "t":
            taken += (items := queue.take(number))
            held -= sum(len(item.request) for item in items)
        elif taken:
            item = taken.pop()
            queue.put_back(item, due_ms=number if step == "d" else None)
            held += len(item.request)
    assert queue.size == held
