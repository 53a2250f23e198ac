"""What is known of a node that was told to run something, and soon after to run nothing."""

from __future__ import annotations

from sliceworks.master.cluster import events as ev
from sliceworks.protocol.states import ExecutionStatus as S
from tests.master.cluster.rig import Rig, worker


def test_a_node_is_left_by_its_word_on_the_newest_assignments_only(rig: Rig) -> None:
    rig.node("node")
    said = rig.machine.core.nodes["node"].revision
    rig.start()
    rig.spawned()
    rig.attached()
    assert rig.assigned("node")["ex"].workers == 1  # it starts a worker, and has not said so yet

    rig.stop(wait_ms=None)
    rig.concluded("stopped")
    rig.exited()
    rig.node_reports("node", [], revision=said)
    assert (rig.status(), dict(rig.placement())) == (S.STOPPING, {"node": 0})

    rig.node_reports("node", [])
    assert (rig.status(), dict(rig.placement())) == (S.STOPPED, {})


def test_a_worker_that_is_replaced_keeps_its_place_for_the_next_one(rig: Rig) -> None:
    rig.run("ex", workers=2, slots=2)
    rig.start("next")
    rig.node_reports("node", [worker(1, "ex"), worker(2, "ex", "ending")])  # killed for a time limit
    assert (rig.placement("ex"), rig.placement("next")) == ({"node": 2}, {})
    assert rig.assigned("node")["ex"].workers == 2
    rig.node_reports("node", [worker(1, "ex")])
    assert (rig.placement("ex"), rig.placement("next")) == ({"node": 2}, {})


def test_a_worker_that_ends_because_its_share_shrank_keeps_its_slot_from_others(rig: Rig) -> None:
    rig.run("ex", workers=2, slots=2)
    rig.node_reports("node", [worker(1, "ex"), worker(2, "ex")])
    rig.change_workers(ev.SetWorkers(1))
    rig.start("next")
    rig.node_reports("node", [worker(1, "ex"), worker(2, "ex", "ending")])
    assert (rig.placement("ex"), rig.placement("next")) == ({"node": 1}, {})
    rig.node_reports("node", [worker(1, "ex")])
    assert (rig.placement("ex"), rig.placement("next")) == ({"node": 1}, {"node": 1})
