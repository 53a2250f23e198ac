"""Executions at the master: from the start to the end, and through every death on the way."""

from __future__ import annotations

import pytest

from sliceworks.master.cluster import effects as ef
from sliceworks.master.cluster import events as ev
from sliceworks.master.cluster.model import Limits
from sliceworks.protocol.errors import ConflictError, InvalidError, NotFoundError, UnavailableError
from sliceworks.protocol.messages import (
    ControllerOutcome,
    LinkInfo,
    OutcomeApplied,
    SaveAndEnd,
    SliceCounts,
    Statistics,
    Wishes,
)
from sliceworks.protocol.states import ExecutionStatus
from tests.master.cluster.rig import Rig, report, worker

S = ExecutionStatus


@pytest.fixture
def rig() -> Rig:
    """An empty cluster."""
    return Rig()


# --- start


def test_without_a_node_an_execution_is_pending_and_says_why(rig: Rig) -> None:
    request = rig.start()
    assert rig.status() is S.PENDING
    assert rig.answer(request) == ef.Done()
    assert "no" in rig.row().reason
    assert rig.take(ef.SpawnController) == []


def test_the_first_commit_has_the_generation_and_the_controller_starts_after_it(rig: Rig) -> None:
    rig.node()
    rig.take(ef.Save)
    rig.hold_saves = True
    request = rig.start(workers=2)
    assert len(rig.take(ef.Save)) == 1
    assert rig.take(ef.SpawnController) == []
    assert rig.answer(request) is None
    rig.release_saves()
    (order,) = [effect for effect in rig.effects if isinstance(effect, ef.SpawnController)]
    assert (order.generation, order.wishes.workers) == (1, 2)
    assert order.secret == rig.row().secret
    assert rig.answer(request) == ef.Done()


def test_an_execution_comes_to_run(rig: Rig) -> None:
    rig.node()
    rig.start(workers=3)
    assert rig.status() is S.SCHEDULING
    identity = rig.spawned()
    assert rig.status() is S.INITIALIZING
    assert rig.row().controller == identity
    rig.attached()
    assignment = rig.assigned()["ex"]
    assert (assignment.workers, assignment.port, assignment.generation) == (3, 4_000, 1)
    assert assignment.secret == rig.row().secret
    rig.reported()
    assert rig.status() is S.RUNNING


def test_a_pending_execution_starts_when_a_slot_is_free(rig: Rig) -> None:
    rig.run("one", workers=4)
    rig.start("two")
    assert rig.status("two") is S.PENDING
    assert "all 4 are in use" in rig.row("two").reason
    rig.node("other", slots=1)
    assert rig.status("two") is S.SCHEDULING
    assert rig.row("two").reason == ""


def test_the_job_of_a_living_execution_is_not_started_again(rig: Rig) -> None:
    rig.start()
    request = rig.start()
    assert isinstance(rig.answer(request), ConflictError)


def test_what_the_store_refuses_never_was(rig: Rig) -> None:
    rig.node()
    rig.hold_saves = True
    request = rig.start()
    (save,) = rig.held
    rig.held, rig.hold_saves = [], False
    rig.tell(ev.SaveRefused(save.number, ConflictError("no")))
    assert isinstance(rig.answer(request), ConflictError)
    assert rig.machine.core.executions == {}
    assert rig.machine.core.living == {}
    rig.start("other")
    assert rig.status("other") is S.SCHEDULING


# --- the end


def test_an_outcome_is_applied_when_it_is_durable(rig: Rig) -> None:
    rig.run()
    rig.hold_saves = True
    rig.concluded("completed", statistics=Statistics(processed=5), counts=SliceCounts(completed=5))
    assert OutcomeApplied() not in rig.to_controller()
    rig.release_saves()
    assert OutcomeApplied() in rig.to_controller()
    assert rig.status() is S.COMPLETED
    assert rig.row().statistics.processed == 5
    assert rig.assigned() == {}


def test_an_ended_execution_is_forgotten_when_nothing_of_it_is_left(rig: Rig) -> None:
    rig.run()
    rig.concluded("completed")
    rig.exited()
    assert "ex" in rig.machine.core.executions
    rig.node_reports("node", [])
    assert rig.machine.core.executions == {}
    assert rig.row().controller is None
    assert rig.row().placement == {}


def test_its_job_can_start_again_as_soon_as_it_has_ended(rig: Rig) -> None:
    rig.run()
    rig.concluded("failed", failure="bad")
    assert rig.row().failure == "bad"
    assert rig.row().has_errors
    request = rig.request()
    rig.tell(
        ev.StartRequested(request, "job of ex", None, ex_id="again", name="n", workers=1, document=b"{}")
    )
    assert rig.answer(request) == ef.Done()


def test_a_controller_that_does_not_leave_is_killed(rig: Rig) -> None:
    rig.run()
    rig.concluded("completed")
    rig.pass_time(Limits().end_ms)
    assert [effect.ex_id for effect in rig.take(ef.EndController)] == ["ex"]


# --- stop


def test_a_pending_execution_stops_at_once(rig: Rig) -> None:
    rig.start()
    request = rig.stop()
    assert rig.answer(request) == ef.StatusIs(S.STOPPED)
    assert rig.machine.core.executions == {}


def test_a_stop_is_durable_before_it_is_answered_or_sent(rig: Rig) -> None:
    rig.run()
    rig.hold_saves = True
    request = rig.stop(wait_ms=None)
    assert not any(isinstance(message, Wishes) and message.stopping for message in rig.to_controller())
    assert rig.answer(request) is None
    rig.release_saves()
    assert rig.answer(request) == ef.StatusIs(S.STOPPING)
    assert rig.to_controller()[-1].stopping


def test_stopped_means_that_no_process_is_left(rig: Rig) -> None:
    rig.run(workers=2)
    request = rig.stop()
    rig.concluded("stopped")
    assert rig.status() is S.STOPPING
    rig.node_reports("node", [])
    assert rig.status() is S.STOPPING
    assert rig.answer(request) is None
    rig.exited()
    assert rig.status() is S.STOPPED
    assert rig.answer(request) == ef.StatusIs(S.STOPPED)


def test_an_old_report_of_a_node_proves_nothing(rig: Rig) -> None:
    rig.run()
    revision = rig.machine.core.nodes["node"].revision
    rig.stop()
    rig.concluded("stopped")
    rig.exited()
    rig.node_reports("node", [], revision=revision)
    assert rig.status() is S.STOPPING
    rig.node_reports("node", [])
    assert rig.status() is S.STOPPED


def test_an_execution_that_completes_while_it_stops_has_completed(rig: Rig) -> None:
    rig.run()
    request = rig.stop()
    rig.concluded("completed")
    assert rig.answer(request) == ef.StatusIs(S.COMPLETED)


def test_at_the_end_of_the_grace_workers_are_killed(rig: Rig) -> None:
    rig.run(workers=2)
    rig.stop(grace_ms=5_000)
    assert (rig.assigned()["ex"].workers, rig.assigned()["ex"].grace_ms) == (2, 5_000)
    rig.pass_time(5_000)
    assert (rig.assigned()["ex"].workers, rig.assigned()["ex"].grace_ms) == (0, 0)
    assert rig.to_controller()[-1] == Wishes(2, paused=False, stopping=True, grace_ms=0)


def test_a_forced_stop_kills_at_once(rig: Rig) -> None:
    rig.run()
    rig.stop(grace_ms=60_000, wait_ms=None)
    rig.stop(grace_ms=0)
    assert (rig.assigned()["ex"].workers, rig.assigned()["ex"].grace_ms) == (0, 0)


def test_a_second_stop_never_makes_it_later(rig: Rig) -> None:
    rig.run()
    rig.stop(grace_ms=1_000)
    rig.stop(grace_ms=60_000)
    assert rig.row().wishes.grace_ms == 1_000


def test_a_blocking_stop_answers_in_time_whatever_happens(rig: Rig) -> None:
    rig.run()
    request = rig.stop(grace_ms=1_000, wait_ms=3_000)
    rig.pass_time(3_000)
    assert rig.answer(request) == ef.StatusIs(S.STOPPING)


def test_a_controller_that_does_not_stop_is_replaced_until_the_loop_is_given_up(rig: Rig) -> None:
    rig.run()
    request = rig.stop(grace_ms=1_000, wait_ms=10**9)
    for _ in range(Limits().crashes):
        rig.pass_time(1_000 + Limits().overdue_ms)
        assert [effect.ex_id for effect in rig.take(ef.EndController)] == ["ex"]
        rig.crash()
        rig.pass_time(60_000)
        if rig.status() is S.STOPPING:
            rig.spawned()
            rig.attached()
    assert rig.answer(request) == ef.StatusIs(S.FAILED)


def test_stopping_waits_for_a_silent_node_until_its_workers_must_have_ended(rig: Rig) -> None:
    rig.run()
    rig.stop()
    rig.node_lost()
    rig.concluded("stopped")
    rig.exited()
    assert "node" in rig.row().reason
    rig.pass_time(Limits().disconnect_ms)
    assert rig.status() is S.STOPPING
    rig.pass_time(Limits().margin_ms)
    assert rig.status() is S.STOPPED


def test_a_new_incarnation_of_the_node_has_none_of_its_workers(rig: Rig) -> None:
    rig.run()
    rig.stop()
    rig.node_lost()
    rig.concluded("stopped")
    rig.exited()
    rig.node_hello(incarnation="second")
    assert rig.status() is S.STOPPED


def test_stopping_keeps_errors(rig: Rig) -> None:
    rig.run()
    rig.reported(phase="failing", failure="slice failure", counts=SliceCounts(error=1))
    assert rig.status() is S.FAILING
    rig.stop()
    rig.concluded("stopped", failure="")
    rig.exited()
    rig.node_reports("node", [])
    assert (rig.status(), rig.row().has_errors, rig.row().failure) == (S.STOPPED, True, "slice failure")


# --- pause and resume


def pause(rig: Rig) -> int:
    request = rig.request()
    rig.tell(ev.PauseRequested(request, "ex"))
    return request


def resume(rig: Rig) -> int:
    request = rig.request()
    rig.tell(ev.ResumeRequested(request, "ex"))
    return request


def test_pause_and_resume(rig: Rig) -> None:
    rig.run()
    assert rig.answer(pause(rig)) == ef.StatusIs(S.PAUSED)
    assert rig.status() is S.PAUSED
    assert rig.to_controller()[-1].paused
    rig.reported()  # sent before the controller heard of it
    assert rig.status() is S.PAUSED
    assert rig.answer(pause(rig)) == ef.StatusIs(S.PAUSED)
    assert rig.answer(resume(rig)) == ef.StatusIs(S.RUNNING)
    rig.reported(phase="paused")  # sent before it heard of the resume
    assert rig.status() is S.RUNNING
    assert rig.answer(resume(rig)) == ef.StatusIs(S.RUNNING)


def test_an_execution_whose_controller_is_not_connected_cannot_be_paused(rig: Rig) -> None:
    rig.start()
    assert isinstance(rig.answer(pause(rig)), ConflictError)
    rig.node()
    rig.spawned()
    assert isinstance(rig.answer(resume(rig)), ConflictError)


def test_what_has_ended_or_never_was_cannot_be_paused(rig: Rig) -> None:
    assert isinstance(rig.answer(pause(rig)), NotFoundError)
    rig.run()
    rig.concluded("completed")
    assert isinstance(rig.answer(pause(rig)), NotFoundError)


def test_a_stopping_execution_cannot_be_paused(rig: Rig) -> None:
    rig.run()
    rig.stop()
    assert isinstance(rig.answer(pause(rig)), ConflictError)


# --- workers


def change_workers(rig: Rig, change: ev.WorkersChange) -> int:
    request = rig.request()
    rig.tell(ev.WorkersRequested(request, "ex", change))
    return request


def test_workers_are_added_removed_and_set(rig: Rig) -> None:
    rig.run(workers=2)
    assert rig.answer(change_workers(rig, ev.AddWorkers(1))) == ef.Done()
    assert (rig.row().wishes.workers, rig.assigned()["ex"].workers) == (3, 3)
    assert rig.answer(change_workers(rig, ev.RemoveWorkers(2))) == ef.Done()
    assert (rig.row().wishes.workers, rig.assigned()["ex"].workers) == (1, 1)
    assert rig.answer(change_workers(rig, ev.SetWorkers(9))) == ef.Done()
    assert (rig.row().wishes.workers, rig.assigned()["ex"].workers) == (9, 4)
    assert "4 of 9" in rig.row().reason
    assert rig.to_controller()[-1].workers == 9


def test_workers_are_not_removed_down_to_none(rig: Rig) -> None:
    rig.run(workers=2)
    error = rig.answer(change_workers(rig, ev.RemoveWorkers(2)))
    assert isinstance(error, InvalidError)
    assert str(error) == "workers to be removed: 2 cannot be >= to current workers: 2"


def test_workers_of_a_pending_execution_can_be_changed(rig: Rig) -> None:
    rig.start()
    assert rig.answer(change_workers(rig, ev.AddWorkers(1))) == ef.Done()
    assert rig.row().wishes.workers == 2


def test_workers_of_an_ended_execution_cannot(rig: Rig) -> None:
    assert isinstance(rig.answer(change_workers(rig, ev.AddWorkers(1))), NotFoundError)


def test_a_report_never_changes_a_wish(rig: Rig) -> None:
    rig.run(workers=2)
    rig.reported(statistics=Statistics(workers_active=1))
    assert rig.row().wishes.workers == 2


# --- deaths of the controller


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
    pause(rig)
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
    rig.tell(ev.ControllerSpawned("ex", 2, rig_identity(2)))
    rig.attached()
    rig.concluded("stopped")
    rig.exited()
    rig.node_reports("node", [])
    assert rig.answer(request) == ef.StatusIs(S.STOPPED)


def rig_identity(generation: int) -> ev.Identity:
    return ev.Identity(1_000 + generation, generation, "boot")


def test_a_crash_loop_ends_failed_and_says_so(rig: Rig) -> None:
    rig.run()
    for _ in range(Limits().crashes - 1):
        rig.crash()
        rig.pass_time(10_000)
        rig.spawned()
    rig.crash()
    assert rig.status() is S.FAILED
    assert "crashed 5 times" in rig.row().failure
    assert "signal 9" in rig.row().failure


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


# --- restarts of the master


def test_a_living_controller_is_adopted(rig: Rig) -> None:
    rig.run()
    rig.restart(alive=frozenset({"ex"}))
    assert [effect.ex_id for effect in rig.take(ef.WatchController)] == ["ex"]
    rig.node()
    rig.node_reports("node", [worker(1, "ex")])
    assert rig.assigned()["ex"].workers == 1
    rig.attached()
    rig.reported()
    assert rig.status() is S.RUNNING
    assert rig.take(ef.SpawnController) == []


def test_a_recorded_controller_that_does_not_attach_is_ended_and_replaced(rig: Rig) -> None:
    rig.run()
    rig.restart(alive=frozenset({"ex"}))
    rig.pass_time(Limits().silence_ms)
    assert len(rig.take(ef.EndController)) == 1
    rig.crash()
    assert rig.status() is S.RECOVERING
    assert [order.generation for order in rig.take(ef.SpawnController)] == [2]


def test_a_dead_controller_is_replaced_after_a_restart(rig: Rig) -> None:
    rig.run()
    rig.restart()
    rig.inspected()
    assert rig.status() is S.RECOVERING
    assert [order.generation for order in rig.take(ef.SpawnController)] == [2]


def test_an_outcome_that_was_left_meanwhile_is_applied(rig: Rig) -> None:
    rig.run()
    rig.restart()
    rig.inspected(outcome=ControllerOutcome("failed", "why", report("stopping")))
    assert (rig.status(), rig.row().failure) == (S.FAILED, "why")


def test_a_pending_execution_goes_on_after_a_restart(rig: Rig) -> None:
    rig.start()
    rig.restart()
    rig.node()
    assert rig.status() is S.SCHEDULING


def test_a_stop_survives_the_master(rig: Rig) -> None:
    rig.run()
    rig.stop()
    rig.concluded("stopped")
    rig.restart()
    assert rig.status() is S.STOPPING
    rig.node_hello()
    assert rig.assigned() == {}
    rig.node_reports("node", [])
    assert rig.status() is S.STOPPED


def test_the_number_of_workers_survives_the_master(rig: Rig) -> None:
    rig.run(workers=1)
    change_workers(rig, ev.SetWorkers(3))
    rig.restart(alive=frozenset({"ex"}))
    rig.node()
    assert rig.assigned()["ex"].workers == 3


def test_the_share_of_a_node_that_was_not_heard_of_since_is_not_placed_elsewhere(rig: Rig) -> None:
    rig.node("node", slots=2)
    rig.run("ex", workers=2)
    rig.restart(alive=frozenset({"ex"}))
    rig.attached()
    rig.node("other", slots=2)
    assert rig.assigned("other") == {}
    rig.pass_time(Limits().disconnect_ms)
    assert rig.assigned("other")["ex"].workers == 2


def test_a_controller_of_another_version_is_ended_and_replaced_uncounted(rig: Rig) -> None:
    rig.run()
    rig.restart(alive=frozenset({"ex"}))
    rig.tell(ev.ControllerUnfit("ex", 1, "other version"))
    assert len(rig.take(ef.EndController)) == 1
    rig.crash()
    assert [order.generation for order in rig.take(ef.SpawnController)] == [2]
    assert rig.machine.core.executions["ex"].crashes == []


# --- the end of the master


def test_closing_lets_controllers_save_and_changes_no_status(rig: Rig) -> None:
    rig.run()
    request = rig.stop("nope")
    blocked = rig.stop("ex")
    status = rig.status()
    rig.tell(ev.Closing())
    assert isinstance(rig.answer(request), NotFoundError)
    assert isinstance(rig.answer(blocked), UnavailableError)
    assert rig.to_controller()[-1] == SaveAndEnd()
    assert rig.take(ef.Alone) == []
    rig.exited(how="it ended with exit code 0")
    assert rig.take(ef.Alone)
    assert rig.status() is status
    assert rig.row().controller is None
    assert [order.generation for order in rig.take(ef.SpawnController)] == [1]


def test_a_controller_that_attaches_while_the_master_closes_is_told_to_end(rig: Rig) -> None:
    rig.node()
    rig.start()
    rig.spawned()
    rig.tell(ev.Closing())
    rig.attached()
    assert SaveAndEnd() in rig.to_controller()


def test_requests_are_refused_while_the_master_closes(rig: Rig) -> None:
    rig.tell(ev.Closing())
    assert isinstance(rig.answer(rig.start()), UnavailableError)
    assert rig.take(ef.Alone)


# --- nodes


def test_the_share_of_a_silent_node_is_placed_elsewhere_after_the_timeout(rig: Rig) -> None:
    rig.node("node", slots=2)
    rig.node("other", slots=4)
    rig.start("ex", workers=4)
    rig.spawned()
    rig.attached()
    assert rig.placement() == {"node": 2, "other": 2}
    rig.node_lost("node")
    assert rig.placement() == {"node": 2, "other": 2}
    assert "silent" in rig.row().reason
    rig.pass_time(Limits().disconnect_ms)
    assert rig.placement() == {"node": 0, "other": 4}


def test_a_silent_node_that_comes_back_goes_on(rig: Rig) -> None:
    rig.run(workers=2)
    rig.node_lost()
    rig.pass_time(Limits().disconnect_ms - 1)
    rig.node_hello()
    assert rig.assigned()["ex"].workers == 2
    assert rig.row().reason == ""


def test_a_node_is_forgotten_when_it_is_gone_for_long(rig: Rig) -> None:
    rig.node()
    rig.node_lost()
    rig.pass_time(2 * Limits().disconnect_ms)
    assert rig.machine.core.nodes == {}
    assert rig.store.nodes == {}


def test_a_lost_node_with_work_is_forgotten_too(rig: Rig) -> None:
    rig.run()
    rig.node_lost()
    rig.pass_time(2 * Limits().disconnect_ms + Limits().margin_ms)
    assert rig.machine.core.nodes == {}
    assert rig.placement() == {}


def test_the_share_of_a_draining_node_moves_at_once(rig: Rig) -> None:
    rig.run(workers=2)
    rig.node("other", slots=4)
    rig.node_reports("node", [worker(1, "ex"), worker(2, "ex")], draining=True)
    assert rig.placement() == {"node": 0, "other": 2}
    assert rig.assigned("node")["ex"].workers == 0
    rig.node_reports("node", [], draining=True)
    assert rig.placement() == {"other": 2}


def test_slots_are_given_again_only_when_their_workers_are_gone(rig: Rig) -> None:
    rig.run("ex", workers=4)
    rig.start("next", workers=4)
    rig.concluded("completed", "ex")
    rig.exited("ex")
    assert rig.status("next") is S.PENDING
    rig.node_reports("node", [worker(1, "ex", "ending")])
    assert rig.placement("next") == {"node": 3}
    rig.node_reports("node", [])
    assert rig.placement("next") == {"node": 4}


def failing(count: int) -> list[LinkInfo]:
    return [LinkInfo("ex", connected=True, start_failures=count, start_error="ImportError: nope")]


def test_workers_that_do_not_start_on_a_node_go_elsewhere(rig: Rig) -> None:
    rig.run(workers=2)
    rig.node("other")
    rig.node_reports("node", [], links=failing(2))
    assert rig.placement() == {"node": 2}
    rig.node_reports("node", [], links=failing(3))
    assert rig.placement()["other"] == 2
    rig.node_reports("node", [])
    assert rig.placement() == {"other": 2}


def test_workers_that_start_nowhere_fail_the_execution(rig: Rig) -> None:
    rig.run()
    rig.node_reports("node", [], links=failing(3))
    assert rig.status() is S.FAILING
    assert rig.to_controller()[-1].stopping
    rig.concluded("stopped")
    assert rig.status() is S.FAILED
    assert "ImportError: nope" in rig.row().failure
    assert rig.row().has_errors


def test_workers_that_run_are_left_where_others_do_not_start(rig: Rig) -> None:
    rig.run(workers=3)
    rig.node_reports("node", [worker(1, "ex")], links=failing(3))
    assert rig.status() is S.RUNNING
    assert rig.assigned()["ex"].workers == 1


def test_a_new_incarnation_gets_another_try(rig: Rig) -> None:
    rig.run(workers=2)
    rig.node("other", slots=0)
    rig.node_reports("node", [worker(1, "ex")], links=failing(3))
    assert rig.placement() == {"node": 1}
    rig.node(incarnation="second")
    assert rig.placement() == {"node": 2}


def test_a_second_daemon_with_the_same_id_replaces_the_first(rig: Rig) -> None:
    rig.node()
    old = rig.node_sessions["node"]
    rig.node(incarnation="second")
    assert [effect.session for effect in rig.take(ef.DropSession)] == [old]
    rig.tell(ev.NodeDetached("node", old))
    rig.start()
    assert rig.status() is S.SCHEDULING


# --- totals


def test_totals_count_each_difference_once_over_restarts_of_both(rig: Rig) -> None:
    rig.run()
    rig.reported(statistics=Statistics(processed=10, workers_joined=1))
    rig.pass_time(Limits().totals_ms)
    assert rig.store.totals.processed == 10
    rig.reported(statistics=Statistics(processed=15, workers_joined=1))
    rig.restart(alive=frozenset({"ex"}))
    rig.attached()
    rig.reported(statistics=Statistics(processed=15, workers_joined=1))
    rig.concluded("completed", statistics=Statistics(processed=20, workers_joined=1, job_duration=3))
    totals = rig.store.totals
    assert (totals.processed, totals.workers_joined, totals.job_duration) == (20, 1, 3)
