"""Results are numbered once, kept until acknowledged, and never lost on the way."""

from __future__ import annotations

from sliceworks.protocol.ids import WorkerId
from sliceworks.protocol.messages import HostResults, OperationTotals, ResultDetail
from sliceworks.protocol.states import ResultKind
from sliceworks.worker.results import MAX_BATCH_CHARS, MAX_KEPT_CHARS, ResultBook, without

ONE, TWO = WorkerId(1), WorkerId(2)


def frame(*seqs: int, errors: dict[int, str] | None = None) -> HostResults:
    count = len(seqs)
    details = {index: ResultDetail(text) for index, text in (errors or {}).items()}
    totals = [OperationTotals(0, count, 5, 0, 10, 100), OperationTotals(1, count, 7, 10, 10, 200)]
    return HostResults(list(seqs), [1] * count, bytes(count), [9] * count, [3] * count, details, totals)


def test_frames_of_one_turn_become_one_batch() -> None:
    book = ResultBook(first_batch=4)
    book.add_frame(ONE, frame(1, 2))
    book.add_frame(TWO, frame(5, 6, errors={1: "boom"}))
    book.add_ended((8, 3), TWO, ResultKind.LOST, started_ms=1, run_us=2, detail=ResultDetail("dead"))
    book.add_returned([(9, 1)])
    (batch,) = book.seal(window=12)
    assert (batch.batch, batch.window) == (4, 12)
    assert batch.seqs == [1, 2, 5, 6, 8, 9]
    assert batch.epochs == [1, 1, 1, 1, 3, 1]
    assert batch.kinds == b"\0\0\0\0\3\4"
    assert batch.workers == [1, 1, 2, 2, 2, 0]
    assert batch.started_ms == [9, 9, 9, 9, 1, 0]
    assert {index: detail.error for index, detail in batch.details.items()} == {3: "boom", 4: "dead"}
    assert [(item.slices, item.time_us, item.memory_bytes) for item in batch.operations] == [
        (4, 10, 100),
        (4, 14, 200),
    ]
    assert book.seal(window=12) == []


def test_batches_are_kept_in_order_until_acknowledged() -> None:
    book = ResultBook(first_batch=1)
    for seq in (1, 2, 3):
        book.add_frame(ONE, frame(seq))
        book.seal(window=5)
    book.acked(1)
    assert [(batch.batch, batch.seqs, batch.window) for batch in book.unacked(window=7)] == [
        (2, [2], 7),
        (3, [3], 7),
    ]
    assert list(book.leases()) == [(2, 1), (3, 1)]
    book.acked(3)
    assert book.empty
    assert book.next_batch == 4


def test_long_errors_are_spread_over_batches() -> None:
    book = ResultBook(first_batch=1)
    for seq in range(1, 10):
        book.add_frame(ONE, frame(seq, errors={0: "x" * (MAX_BATCH_CHARS // 2)}))
    assert [batch.seqs for batch in book.seal(window=1)] == [[1, 2], [3, 4], [5, 6], [7, 8], [9]]


def test_too_much_error_text_is_seen_until_it_is_acknowledged() -> None:
    book = ResultBook(first_batch=1)
    for seq in range(1, 3 + MAX_KEPT_CHARS // MAX_BATCH_CHARS):
        book.add_frame(ONE, frame(seq, errors={0: "x" * MAX_BATCH_CHARS}))
    last = book.seal(window=1)[-1].batch
    assert book.overfull
    book.acked(last)
    assert not book.overfull


def test_single_results_can_be_left_out_of_a_frame() -> None:
    kept = without(frame(1, 2, 3, errors={0: "a", 2: "c"}), {0, 1})
    assert (kept.seqs, kept.epochs, kept.kinds, kept.run_us) == ([3], [1], b"\0", [3])
    assert kept.details[0].error == "c"
