"""Executions at the master: from the start to the end, and over restarts of the master."""

from __future__ import annotations

from sliceworks.master.cluster import effects as ef
from sliceworks.master.cluster import events as ev
from sliceworks.master.cluster.model import Limits
from sliceworks.protocol.errors import ConflictError, UnavailableError
from sliceworks.protocol.messages import (
    ControllerOutcome,
    OutcomeApplied,
    SaveAndEnd,
    SliceCounts,
    Statistics,
)
from sliceworks.protocol.states import ExecutionStatus
from tests.master.cluster.rig import Rig, report, worker

S = ExecutionStatus


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
    rig.change_workers(ev.SetWorkers(3))
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
    assert isinstance(rig.answer(request), ConflictError)
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
