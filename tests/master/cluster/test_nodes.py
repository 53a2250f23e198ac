"""Worker daemons at the machine: silence, drains, new incarnations, workers that do not start."""

from __future__ import annotations

import pytest

from sliceworks.master.cluster import effects as ef
from sliceworks.master.cluster import events as ev
from sliceworks.master.cluster.model import Limits
from sliceworks.protocol.errors import NotFoundError
from sliceworks.protocol.messages import (
    LinkInfo,
)
from sliceworks.protocol.states import ExecutionStatus
from tests.master.cluster.rig import Rig, worker

S = ExecutionStatus


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


@pytest.mark.parametrize("by_whom", ["operator", "daemon"])
def test_a_drain_fails_nothing_that_starts_nowhere_else(rig: Rig, by_whom: str) -> None:
    rig.run(workers=2, slots=1)
    rig.node("other", slots=1)
    rig.node_reports("other", [], links=failing(3))
    if by_whom == "operator":
        rig.drain_node()
    rig.node_reports("node", [worker(1, "ex")], draining=by_whom == "daemon")
    rig.node_reports("node", [], draining=by_whom == "daemon")
    assert rig.status() is S.RUNNING
    assert "ImportError: nope" in rig.row().reason


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


def test_a_drained_node_loses_its_share_when_that_is_durable_and_stays_connected(rig: Rig) -> None:
    rig.run(workers=2)
    rig.node("other", slots=4)
    rig.hold_saves = True
    request = rig.drain_node()
    assert rig.answer(request) is None
    rig.release_saves()
    assert rig.answer(request) == ef.Done()
    assert rig.placement() == {"node": 0, "other": 2}
    assert rig.assigned("node")["ex"].workers == 0
    assert rig.store.nodes["node"].drained


def test_a_drain_outlives_master_daemon_and_silence(rig: Rig) -> None:
    rig.node()
    rig.drain_node()
    rig.restart()
    rig.node_hello(incarnation="second")
    rig.start("ex")
    assert rig.placement() == {}
    rig.node_lost()
    rig.pass_time(2 * Limits().disconnect_ms)
    rig.node_hello(incarnation="third")
    assert rig.placement() == {}
    assert rig.answer(rig.resume_node()) == ef.Done()
    assert rig.placement() == {"node": 1}


def test_draining_again_waits_for_the_first_time(rig: Rig) -> None:
    rig.node()
    rig.hold_saves = True
    requests = [rig.drain_node(), rig.drain_node()]
    assert [rig.answer(request) for request in requests] == [None, None]
    rig.release_saves()
    assert [rig.answer(request) for request in requests] == [ef.Done(), ef.Done()]


def test_a_node_that_nobody_knows_cannot_be_drained(rig: Rig) -> None:
    answer = rig.answer(rig.drain_node("nope"))
    assert isinstance(answer, NotFoundError)
    assert str(answer) == "Could not find node nope"
