"""Deaths and returns of controllers."""

from __future__ import annotations

from sliceworks.master.cluster import effects as ef
from sliceworks.master.cluster import events as ev
from sliceworks.master.cluster.model import Limits
from sliceworks.protocol.messages import (
    ControllerOutcome,
    SliceCounts,
)
from sliceworks.protocol.process import Identity
from sliceworks.protocol.states import ExecutionStatus
from tests.master.cluster.rig import Rig, report

S = ExecutionStatus


def test_a_dead_controller_is_replaced_at_once_after_its_store_was_read(rig: Rig) -> None:
    rig.run()
    rig.exited()
    assert rig.take(ef.InspectStore) == [ef.InspectStore("ex", 1)]
    rig.inspected()
    assert rig.status() is S.RECOVERING
    (first, second) = rig.take(ef.SpawnController)
    assert (first.generation, second.generation) == (1, 2)
    assert first.secret != second.secret


def test_a_recovered_execution_is_what_it_was(rig: Rig) -> None:
    rig.run()
    rig.pause()
    rig.crash()
    assert rig.status() is S.RECOVERING
    rig.spawned()
    rig.attached()
    rig.reported(phase="paused")
    assert rig.status() is S.PAUSED


def test_nodes_are_told_of_the_new_controller_when_it_is_there(rig: Rig) -> None:
    rig.run()
    rig.crash()
    assert rig.assigned()["ex"].generation == 1
    rig.spawned()
    rig.attached()
    assert rig.assigned()["ex"].generation == 2
    assert rig.assigned()["ex"].secret == rig.row().secret


def test_an_outcome_that_a_dead_controller_left_is_applied(rig: Rig) -> None:
    rig.run()
    rig.exited()
    rig.inspected(outcome=ControllerOutcome("completed", "", report("stopping")))
    assert rig.status() is S.COMPLETED
    assert [order.generation for order in rig.take(ef.SpawnController)] == [1]


def test_a_stop_goes_on_with_the_next_controller(rig: Rig) -> None:
    rig.run()
    request = rig.stop()
    rig.crash()
    assert rig.status() is S.STOPPING
    assert rig.take(ef.SpawnController)[-1].wishes.stopping
    rig.tell(ev.ControllerSpawned("ex", 2, Identity(1_002, 2, "boot")))
    rig.attached()
    rig.concluded("stopped")
    rig.exited()
    rig.node_reports("node", [])
    assert rig.answer(request) == ef.StatusIs(S.STOPPED)


def crash_in_a_loop(rig: Rig) -> None:
    rig.run()
    for _ in range(Limits().crashes - 1):
        rig.crash()
        rig.pass_time(10_000)
        rig.spawned()
    rig.crash()


def test_a_crash_loop_ends_failed_when_a_last_controller_has_taken_back_what_was_in_hand(rig: Rig) -> None:
    crash_in_a_loop(rig)
    assert rig.status() is S.FAILING
    assert (rig.generation(), rig.row().wishes.stopping, rig.row().wishes.grace_ms) == (6, True, 0)
    rig.spawned()
    rig.attached()
    rig.concluded("stopped", counts=SliceCounts(pending=3))
    assert rig.status() is S.FAILED
    assert "crashed 5 times" in rig.row().failure
    assert "signal 9" in rig.row().failure
    assert rig.row().counts == SliceCounts(pending=3)


def test_a_crash_loop_ends_failed_if_the_last_controller_crashes_too(rig: Rig) -> None:
    crash_in_a_loop(rig)
    rig.spawned()
    rig.crash()
    assert rig.status() is S.FAILED
    assert "crashed 5 times" in rig.row().failure
    assert rig.generation() == 6


def test_crashes_with_progress_in_between_are_no_loop(rig: Rig) -> None:
    rig.run()
    for number in range(3 * Limits().crashes):
        rig.crash(counts=SliceCounts(completed=number))
        rig.pass_time(10_000)
        rig.spawned()
    assert rig.status() is S.RECOVERING


def test_later_crashes_rest_longer(rig: Rig) -> None:
    rig.run()
    rig.crash()
    rig.spawned()
    rig.take(ef.SpawnController)
    rig.crash()
    assert rig.take(ef.SpawnController) == []
    rig.pass_time(500)
    assert len(rig.take(ef.SpawnController)) == 1


def test_a_controller_that_cannot_be_started_counts_as_crashed(rig: Rig) -> None:
    rig.node()
    rig.start()
    rig.crash()
    assert rig.status() is S.SCHEDULING
    assert [order.generation for order in rig.take(ef.SpawnController)] == [1, 2]


def test_a_controller_that_comes_back_in_time_goes_on(rig: Rig) -> None:
    rig.run()
    rig.tell(ev.ControllerDetached("ex", rig.controller_sessions["ex"], rig.now_ms))
    rig.pass_time(Limits().silence_ms - 1)
    rig.attached()
    rig.pass_time(60_000)
    assert rig.take(ef.EndController) == []
    assert rig.status() is S.RUNNING


def test_a_silent_controller_is_killed_and_replaced_only_when_it_is_dead(rig: Rig) -> None:
    rig.run()
    rig.tell(ev.ControllerDetached("ex", rig.controller_sessions["ex"], rig.now_ms))
    rig.pass_time(Limits().silence_ms)
    assert len(rig.take(ef.EndController)) == 1
    assert len(rig.take(ef.SpawnController)) == 1
    rig.crash()
    assert len(rig.take(ef.SpawnController)) == 1


def test_a_master_that_stalled_gives_controllers_a_new_period(rig: Rig) -> None:
    rig.run()
    rig.tell(ev.ControllerDetached("ex", rig.controller_sessions["ex"], rig.now_ms))
    rig.now_ms += 60_000
    rig.tell(ev.Stalled())
    rig.tell(ev.TimePassed())
    assert rig.take(ef.EndController) == []


def test_frames_of_a_replaced_session_change_nothing(rig: Rig) -> None:
    rig.run()
    old = rig.controller_sessions["ex"]
    rig.attached()
    assert [effect.session for effect in rig.take(ef.DropSession)] == [old]
    rig.tell(ev.ControllerReported("ex", old, report("failing")))
    rig.tell(ev.ControllerDetached("ex", old, rig.now_ms))
    assert rig.status() is S.RUNNING


def test_a_controller_of_an_older_generation_is_dropped(rig: Rig) -> None:
    rig.run()
    rig.crash()
    rig.tell(ev.ControllerAttached("ex", 1, 99, 4_000))
    assert [effect.session for effect in rig.take(ef.DropSession)] == [99]
