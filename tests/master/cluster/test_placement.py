"""What is known of a node that was told to run something, and soon after to run nothing."""

from __future__ import annotations

from sliceworks.protocol.states import ExecutionStatus as S
from tests.master.cluster.rig import Rig


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
