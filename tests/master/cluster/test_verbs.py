"""Stop, pause, resume and workers at the machine."""

from __future__ import annotations

from sliceworks.master.cluster import effects as ef
from sliceworks.master.cluster import events as ev
from sliceworks.master.cluster.model import Limits
from sliceworks.protocol.errors import ConflictError, InvalidError
from sliceworks.protocol.messages import (
    SliceCounts,
    Statistics,
    Wishes,
)
from sliceworks.protocol.states import ExecutionStatus
from tests.master.cluster.rig import Rig

S = ExecutionStatus


# --- log level


def test_a_log_level_reaches_controller_and_nodes_when_it_is_durable(rig: Rig) -> None:
    rig.run()
    rig.hold_saves = True
    request = rig.change_log_level("debug")
    assert rig.answer(request) is None
    assert rig.assigned()["ex"].log_level == ""
    rig.release_saves()
    assert rig.answer(request) == ef.Done()
    assert rig.to_controller()[-1].log_level == "debug"
    assert rig.assigned()["ex"].log_level == "debug"


def test_a_log_level_wants_a_controller(rig: Rig) -> None:
    rig.start()
    refused = rig.answer(rig.change_log_level("debug"))
    assert isinstance(refused, ConflictError)
    assert str(refused) == "Execution ex is not available"
    rig.stop()
    assert isinstance(rig.answer(rig.change_log_level("debug")), ConflictError)


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


def test_a_blocking_stop_is_not_answered_before_the_wish_is_durable(rig: Rig) -> None:
    rig.run()
    rig.hold_saves = True
    request = rig.stop(grace_ms=1_000, wait_ms=3_000)
    rig.pass_time(5_000)
    assert rig.answer(request) is None
    rig.release_saves()
    assert rig.answer(request) == ef.StatusIs(S.STOPPING)


def test_a_controller_that_does_not_stop_is_replaced_until_the_loop_is_given_up(rig: Rig) -> None:
    rig.run()
    request = rig.stop(grace_ms=1_000, wait_ms=10**9)
    for _ in range(Limits().crashes + 1):
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


def test_pause_and_resume(rig: Rig) -> None:
    rig.run()
    assert rig.answer(rig.pause()) == ef.StatusIs(S.PAUSED)
    assert rig.status() is S.PAUSED
    assert rig.to_controller()[-1].paused
    rig.reported()  # sent before the controller heard of it
    assert rig.status() is S.PAUSED
    assert rig.answer(rig.pause()) == ef.StatusIs(S.PAUSED)
    assert rig.answer(rig.resume()) == ef.StatusIs(S.RUNNING)
    rig.reported(phase="paused")  # sent before it heard of the resume
    assert rig.status() is S.RUNNING
    assert rig.answer(rig.resume()) == ef.StatusIs(S.RUNNING)


def test_an_execution_whose_controller_is_not_connected_cannot_be_paused(rig: Rig) -> None:
    rig.start()
    assert isinstance(rig.answer(rig.pause()), ConflictError)
    rig.node()
    rig.spawned()
    assert isinstance(rig.answer(rig.resume()), ConflictError)


def test_a_pause_while_the_controller_is_replaced_outlives_that(rig: Rig) -> None:
    rig.run()
    rig.exited()
    rig.inspected()
    assert rig.status() is S.RECOVERING
    assert rig.answer(rig.pause()) == ef.StatusIs(S.PAUSED)
    assert rig.status() is S.RECOVERING
    rig.spawned()
    rig.attached()
    rig.reported(phase="running")
    assert rig.status() is S.PAUSED


def test_force_does_not_wait_for_a_controller_that_has_not_said_hello(rig: Rig) -> None:
    rig.node()
    rig.start()
    identity = rig.spawned()
    rig.stop(grace_ms=0)
    assert rig.take(ef.EndController) == [ef.EndController("ex", identity)]
    rig.exited()
    rig.inspected()
    assert rig.status() is S.STOPPING
    rig.spawned()
    rig.attached()
    rig.concluded("stopped")
    assert not rig.take(ef.EndController)


def test_force_again_and_again_ends_a_controller_once(rig: Rig) -> None:
    rig.node()
    rig.start()
    rig.spawned()
    rig.stop(grace_ms=0)
    rig.crash()
    rig.take(ef.EndController)
    rig.spawned()
    for _ in range(6):
        rig.stop(grace_ms=0)
    assert not rig.take(ef.EndController)
    rig.attached()
    rig.concluded("stopped")
    rig.exited()
    rig.node_reports("node", [])
    assert rig.status() is S.STOPPED


def test_resuming_what_fails_shows_it_running(rig: Rig) -> None:
    rig.run()
    rig.reported(phase="failing")
    assert rig.status() is S.FAILING
    assert rig.answer(rig.resume()) == ef.StatusIs(S.RUNNING)
    rig.reported(phase="failing")  # it is no news
    assert rig.status() is S.RUNNING
    rig.reported(phase="running")
    rig.reported(phase="failing")
    assert rig.status() is S.FAILING


def test_what_has_ended_or_never_was_cannot_be_paused(rig: Rig) -> None:
    assert isinstance(rig.answer(rig.pause()), ConflictError)
    rig.run()
    rig.concluded("completed")
    assert isinstance(rig.answer(rig.pause()), ConflictError)


def test_a_stopping_execution_cannot_be_paused(rig: Rig) -> None:
    rig.run()
    rig.stop()
    assert isinstance(rig.answer(rig.pause()), ConflictError)


# --- workers


def test_workers_are_added_removed_and_set(rig: Rig) -> None:
    rig.run(workers=2)
    assert rig.answer(rig.change_workers(ev.AddWorkers(1))) == ef.Done()
    assert (rig.row().wishes.workers, rig.assigned()["ex"].workers) == (3, 3)
    assert rig.answer(rig.change_workers(ev.RemoveWorkers(2))) == ef.Done()
    assert (rig.row().wishes.workers, rig.assigned()["ex"].workers) == (1, 1)
    assert rig.answer(rig.change_workers(ev.SetWorkers(9))) == ef.Done()
    assert (rig.row().wishes.workers, rig.assigned()["ex"].workers) == (9, 4)
    assert "4 of 9" in rig.row().reason
    assert rig.to_controller()[-1].workers == 9


def test_workers_are_not_removed_down_to_none(rig: Rig) -> None:
    rig.run(workers=2)
    error = rig.answer(rig.change_workers(ev.RemoveWorkers(2)))
    assert isinstance(error, InvalidError)
    assert str(error) == "workers to be removed: 2 cannot be >= to current workers: 2"


def test_workers_of_a_pending_execution_can_be_changed(rig: Rig) -> None:
    rig.start()
    assert rig.answer(rig.change_workers(ev.AddWorkers(1))) == ef.Done()
    assert rig.row().wishes.workers == 2


def test_workers_of_an_ended_execution_cannot(rig: Rig) -> None:
    assert isinstance(rig.answer(rig.change_workers(ev.AddWorkers(1))), ConflictError)


def test_a_report_never_changes_a_wish(rig: Rig) -> None:
    rig.run(workers=2)
    rig.reported(statistics=Statistics(workers_active=1))
    assert rig.row().wishes.workers == 2
