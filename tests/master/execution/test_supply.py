"""Credit for slicers: the queue is kept full and bounded, in number and in bytes."""

from __future__ import annotations

from sliceworks.master.execution.model import Now
from sliceworks.master.execution.supply import MAX_QUEUE_BYTES, Supply
from sliceworks.master.store.batch import SlicerRow
from sliceworks.protocol.messages import SlicesMade

NOW = Now(0, 1)


def ready_supply(slicers: int = 1, known: list[SlicerRow] | None = None, last_seq: int = 0) -> Supply:
    supply = Supply(slicers, known or [], last_seq)
    supply.ready = True
    return supply


def test_credit_fills_the_queue_to_twice_the_windows() -> None:
    (want,) = ready_supply().wants(windows=400, queued=0, queued_bytes=0)
    assert want.count == 100, "before a size is known, little is asked for"
    supply = ready_supply()
    supply.take(SlicesMade(0, [b"1"]), NOW)
    (want,) = supply.wants(windows=400, queued=0, queued_bytes=0)
    assert want.count >= 800


def test_credit_that_is_out_counts() -> None:
    supply = ready_supply()
    assert supply.wants(windows=10, queued=0, queued_bytes=0)
    assert not supply.wants(windows=10, queued=0, queued_bytes=0)


def test_a_full_queue_asks_for_nothing() -> None:
    supply = ready_supply()
    assert not supply.wants(windows=10, queued=100, queued_bytes=0)
    assert not supply.wants(windows=10, queued=0, queued_bytes=MAX_QUEUE_BYTES)


def test_big_requests_get_little_credit() -> None:
    supply = ready_supply()
    supply.take(SlicesMade(0, [b"x" * 1_000_000] * 4), NOW)
    (want,) = supply.wants(windows=5_000, queued=0, queued_bytes=8_000_000)
    # four were made without credit, so four more than the room is asked for
    assert want.count - 4 <= (MAX_QUEUE_BYTES - 8_000_000) // 1_000_000


def test_a_call_that_made_more_than_its_credit_is_paid_back() -> None:
    supply = ready_supply()
    (first,) = supply.wants(windows=10, queued=0, queued_bytes=0)
    supply.take(SlicesMade(0, [b"1"] * (first.count + 30)), NOW)
    (second,) = supply.wants(windows=10, queued=0, queued_bytes=0)
    assert second.count == first.count + 30


def test_slices_are_numbered_over_all_slicers_and_ordered_in_each() -> None:
    supply = ready_supply(2)
    a, _ = supply.take(SlicesMade(0, [b"1", b"2"]), NOW)
    b, row = supply.take(SlicesMade(1, [b"3"]), NOW)
    assert [(s.seq, s.slicer_id, s.order) for s in [*a, *b]] == [(1, 0, 1), (2, 0, 2), (3, 1, 1)]
    assert row == (1, 1, b"3", None, 0)


def test_a_successor_goes_on_after_the_highest_order() -> None:
    known = [SlicerRow(0, 7, b"7", b"mark", finished=False), SlicerRow(1, 3, b"3", None, finished=True)]
    supply = ready_supply(2, known, last_seq=10)
    assert [entry["finished"] for entry in supply.recovery()] == [False, True]
    assert supply.recovery()[0]["last_slice"] == b"7"
    (item,), _ = supply.take(SlicesMade(0, [b"8"]), NOW)
    assert (item.seq, item.order) == (11, 8)
    assert not supply.finished
    supply.finish(0)
    assert supply.finished


def test_finished_slicers_get_no_credit() -> None:
    supply = ready_supply(2)
    supply.finish(0)
    assert [want.slicer_id for want in supply.wants(windows=10, queued=0, queued_bytes=0)] == [1]
