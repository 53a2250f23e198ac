"""The execution machine: rules 1 to 6 of the design, over drawn histories and by example."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sliceworks.master.execution import events as ev
from sliceworks.master.store.history import read_slices
from sliceworks.master.store.verify import verify_execution
from sliceworks.protocol.errors import FencedError
from sliceworks.protocol.messages import SlicerFailed, SlicingFinished, Wishes
from sliceworks.protocol.states import ResultKind, SliceState

FAULTS = (ResultKind.COMPLETED, ResultKind.COMPLETED, ResultKind.ERROR, ResultKind.LOST, ResultKind.RETURNED)


def connect_one(rig: Any) -> None:
    daemon = rig.random.choice(rig.daemons)
    if daemon.connection is None:
        rig.connect(daemon)


def restart_one(rig: Any) -> None:
    daemon = rig.random.choice(rig.daemons)
    rig.disconnect(daemon)
    daemon.restart()


STEPS: dict[str, tuple[int, Callable[[Any], None]]] = {
    "write": (30, lambda rig: rig.write() if rig.writes else None),
    "end": (25, lambda rig: rig.end_some(FAULTS)),
    "make": (15, lambda rig: rig.make(rig.random.randint(1, 8))),
    "connect": (12, connect_one),
    "disconnect": (4, lambda rig: rig.disconnect(rig.random.choice(rig.daemons))),
    "time": (8, lambda rig: rig.pass_time(rig.random.choice((10, 120, 1_000, 31_000)))),
    "restart": (2, restart_one),
    "crash": (2, lambda rig: rig.crash(committed=rig.random.random() < 0.5)),
    "pause": (1, lambda rig: rig.wish(paused=True)),
    "resume": (2, lambda rig: rig.wish()),
}


def errors_of(rig: Any) -> list[dict[str, Any]]:
    return read_slices(rig.path, state=SliceState.ERROR, size=10, offset=0)


def run_history(rig: Any, steps: int) -> None:
    names = list(STEPS)
    weights = [STEPS[name][0] for name in names]
    for name in rig.random.choices(names, weights, k=steps):
        if rig.finished:
            return
        STEPS[name][1](rig)


@given(seed=st.integers(min_value=0, max_value=10_000_000))
@settings(max_examples=150, deadline=None)
def test_every_slice_ends_exactly_once_whatever_dies(rig_in: Any, seed: int) -> None:
    with TemporaryDirectory() as folder:
        slices = random.Random(seed).randint(1, 60)
        rig = rig_in(Path(folder), slices=slices, daemons=3, seed=seed)
        run_history(rig, 400)
        rig.wish()
        rig.settle()
        report = verify_execution(rig.path)
        assert report.differences == ()
        assert report.counts.completed + report.counts.error == slices
        assert rig.finished[0] == ("failed" if report.counts.error else "completed")
        orders = [s["slicer_order"] for s in read_slices(rig.path, state=None, size=1000, offset=0)]
        assert orders == list(range(1, slices + 1))
        assert len(rig.begun) == len(set(rig.begun)), "an epoch was given twice"
        rig.store.close()


@given(seed=st.integers(min_value=0, max_value=10_000_000))
@settings(max_examples=60, deadline=None)
def test_a_stop_ends_and_leaves_nothing_in_start(rig_in: Any, seed: int) -> None:
    with TemporaryDirectory() as folder:
        rig = rig_in(Path(folder), slices=40, daemons=2, seed=seed)
        run_history(rig, 150)
        was_finished = rig.finished
        rig.wish(stopping=True)
        rig.settle()
        report = verify_execution(rig.path)
        assert report.differences == ()
        assert report.counts.start == 0
        assert was_finished or rig.finished[0] == "stopped"
        rig.store.close()


def test_nothing_is_sent_before_it_is_durable(make_rig: Any) -> None:
    rig = make_rig(slices=4)
    rig.write()
    rig.connect(rig.daemons[0])
    rig.make(4)
    assert not rig.daemons[0].held
    while not rig.daemons[0].held:
        rig.write()
    stored = read_slices(rig.path, state=None, size=10, offset=0)
    assert [s["state"] for s in stored] == ["start"] * 4
    rig.end(rig.daemons[0], {1: ResultKind.COMPLETED})
    assert rig.daemons[0].results, "acknowledged before it was durable"
    rig.settle()
    assert not rig.daemons[0].results


def test_op_errors_are_retried_then_end_in_error(make_rig: Any) -> None:
    rig = make_rig(slices=1, daemons=1, max_retries=2)
    rig.connect(rig.daemons[0])
    for _ in range(3):
        drain(rig)
        rig.end(rig.daemons[0], {1: ResultKind.ERROR})
        rig.pass_time(1_000)
    rig.settle()
    (record,) = errors_of(rig)
    assert (record["reason"], record["retry_count"], len(record["attempts"])) == ("failed", 2, 3)
    assert record["error"] == "it broke"
    assert rig.finished == (
        "failed",
        f"execution: {record['ex_id']} had 1 slice failure(s) during processing",
    )


def drain(rig: Any) -> None:
    for _ in range(20):
        while rig.writes:
            rig.write()
        rig.make(10)


def test_a_slice_that_kills_workers_is_poison(make_rig: Any) -> None:
    rig = make_rig(slices=3, daemons=1)
    rig.connect(rig.daemons[0])
    for _ in range(3):
        drain(rig)
        rig.end(rig.daemons[0], {1: ResultKind.LOST})
    rig.settle()
    (record,) = errors_of(rig)
    assert record["reason"] == "poison"
    assert verify_execution(rig.path).counts.completed == 2


def test_at_most_once_ends_a_lost_slice(make_rig: Any) -> None:
    rig = make_rig(slices=2, daemons=1, at_most_once=True)
    rig.connect(rig.daemons[0])
    drain(rig)
    rig.disconnect(rig.daemons[0])
    rig.daemons[0].restart()
    rig.settle()
    assert {r["reason"] for r in errors_of(rig)} == {"lost"}
    assert all(epoch == 1 for _, epoch in rig.begun)


def test_a_late_result_is_stale_and_changes_nothing(make_rig: Any) -> None:
    rig = make_rig(slices=1, daemons=2)
    first, second = rig.daemons
    rig.connect(first)
    drain(rig)
    late = first.result({1: ResultKind.COMPLETED})
    rig.disconnect(first)
    rig.pass_time(31_000)
    rig.connect(second)
    drain(rig)
    assert second.held == {1: 2}
    rig.connect(first)
    drain(rig)
    assert not first.results, "a stale result is acknowledged too"
    rig.settle()
    report = verify_execution(rig.path)
    assert (report.differences, report.counts.completed) == ((), 1)
    assert late.batch == 1


def test_an_older_generation_can_write_nothing(make_rig: Any) -> None:
    rig = make_rig(slices=5)
    drain(rig)
    old_store, old_machine = rig.store, rig.machine
    rig.open()
    (write,) = old_machine.handle(SlicingFinished(0), rig.now) and old_machine.flush(rig.now)
    with pytest.raises(FencedError):
        old_store.apply(write.batch)
    old_store.close()
    rig.settle()
    assert verify_execution(rig.path).counts.completed == 5


def test_a_failing_slicer_fails_the_execution_and_keeps_the_rest_pending(make_rig: Any) -> None:
    rig = make_rig(slices=20, daemons=1)
    rig.connect(rig.daemons[0])
    drain(rig)
    rig.feed(SlicerFailed("ValueError: no"))
    rig.settle()
    counts = verify_execution(rig.path).counts
    assert rig.finished[0] == "failed"
    assert "ValueError: no" in rig.finished[1]
    assert counts.start == 0
    assert counts.pending + counts.completed == 20


def test_a_dead_slicer_starts_again_from_its_position(make_rig: Any) -> None:
    rig = make_rig(slices=12, daemons=1)
    rig.make(5)
    rig.feed(ev.SlicerDied("killed by signal 9"))
    assert rig.made == 5
    rig.settle()
    assert verify_execution(rig.path).counts.completed == 12


def test_statistics_survive_a_restart(make_rig: Any) -> None:
    rig = make_rig(slices=30, daemons=1)
    rig.connect(rig.daemons[0])
    drain(rig)
    rig.end(rig.daemons[0], dict.fromkeys(list(rig.daemons[0].held), ResultKind.COMPLETED))
    drain(rig)
    before = rig.machine.report().statistics
    rig.crash(committed=True)
    after = rig.machine.report().statistics
    assert (after.processed, after.started, after.workers_joined) == (before.processed, before.started, 2)


def write_all(rig: Any) -> None:
    while rig.writes:
        rig.write()


def test_an_execution_that_takes_too_long_fails_without_waiting_for_a_hung_slice(make_rig: Any) -> None:
    rig = make_rig(slices=20, daemons=1, execution_timeout_ms=60_000)
    rig.connect(rig.daemons[0])
    drain(rig)
    hung, *others = rig.daemons[0].held
    rig.end(rig.daemons[0], dict.fromkeys(others, ResultKind.COMPLETED))
    drain(rig)
    rig.pass_time(59_000)
    rig.disconnect(rig.daemons[0])  # so that nothing can be handed back
    rig.pass_time(1_000)
    write_all(rig)
    assert not rig.finished, "what is in hand gets a last grace"
    rig.pass_time(10_000)
    write_all(rig)
    ex_id = rig.machine._ex_id
    assert rig.finished == ("failed", f"execution {ex_id} took longer than its execution_timeout of 1m")
    report = verify_execution(rig.path)
    assert report.differences == ()
    assert (report.counts.start, report.counts.error) == (0, 0)
    assert report.counts.completed == len(others)
    rig.end(rig.daemons[0], {hung: ResultKind.COMPLETED})
    rig.connect(rig.daemons[0])
    write_all(rig)
    assert verify_execution(rig.path).counts.completed == len(others), "a late result is stale"


def test_the_time_of_an_execution_goes_on_over_restarts_and_pauses(make_rig: Any) -> None:
    rig = make_rig(slices=20, daemons=1, execution_timeout_ms=60_000)
    rig.wishes = Wishes(2, True, False, 1_000)
    write_all(rig)
    for _ in range(2):
        rig.pass_time(29_000)
        rig.crash(committed=True)
        write_all(rig)
    assert not rig.finished
    rig.pass_time(2_000)
    write_all(rig)
    assert rig.finished[0] == "failed"


def test_a_slice_that_times_out_is_tried_again_and_then_an_error(make_rig: Any) -> None:
    rig = make_rig(slices=2, daemons=1, max_retries=1)
    rig.connect(rig.daemons[0])
    for _ in range(2):
        drain(rig)
        rig.end(rig.daemons[0], {1: ResultKind.TIMED_OUT})
        rig.pass_time(1_000)
    rig.settle()
    (record,) = errors_of(rig)
    assert (record["reason"], record["retry_count"]) == ("timeout", 1)
    assert [attempt["outcome"] for attempt in record["attempts"]] == ["timed_out", "timed_out"]


def test_while_the_store_cannot_be_written_nothing_is_leased_and_the_reason_is_told(make_rig: Any) -> None:
    rig = make_rig(slices=20, daemons=1)
    rig.feed(ev.StoreTroubled("the state store cannot be written: disk full"))
    rig.connect(rig.daemons[0])
    drain(rig)
    assert rig.begun == []
    assert "disk full" in rig.machine.report().reason
    rig.feed(ev.StoreTroubled(""))
    assert "disk full" not in rig.machine.report().reason
    rig.settle()
    assert verify_execution(rig.path).counts.completed == 20


def test_a_stop_does_not_wait_for_leases_that_never_left(make_rig: Any) -> None:
    rig = make_rig(slices=4, daemons=1, at_most_once=True)
    write_all(rig)
    rig.connect(rig.daemons[0])
    rig.make(4)
    while not rig.machine.report().counts.start:
        rig.write()
    rig.wish(stopping=True)
    rig.disconnect(rig.daemons[0])  # it has nothing, and ends; the leases are being written
    write_all(rig)
    assert rig.begun == []
    assert rig.finished == ("stopped", "")
    assert verify_execution(rig.path).counts.pending == 4


def test_a_stop_by_force_does_not_wait_for_a_silent_daemon(make_rig: Any) -> None:
    rig = make_rig(slices=4, daemons=1)
    rig.connect(rig.daemons[0])
    drain(rig)
    assert rig.begun
    rig.disconnect(rig.daemons[0])
    rig.wishes = Wishes(2, False, True, 60_000)
    rig.feed(rig.wishes)
    rig.pass_time(5_000)
    write_all(rig)
    assert not rig.finished
    rig.wishes = Wishes(2, False, True, 0)
    rig.feed(rig.wishes)
    rig.pass_time(1_000)
    write_all(rig)
    assert rig.finished == ("stopped", "")
    assert verify_execution(rig.path).counts.start == 0
