"""What `systemctl status` shows of a cluster."""

from __future__ import annotations

from sliceworks.master.cluster.summary import summary
from tests.master.cluster.rig import Rig, worker


def test_an_empty_cluster() -> None:
    assert summary(Rig().machine.core) == "0 executions running, 0 nodes, 0 of 0 slots busy"


def test_executions_and_nodes_and_slots() -> None:
    rig = Rig()
    rig.run("first", workers=2, slots=4)
    rig.node("other", slots=6)
    rig.run("second")
    rig.node_reports("node", [worker(1, "first", "busy"), worker(2, "first")])
    assert summary(rig.machine.core) == "2 executions running, 2 nodes, 2 of 10 slots busy"
    rig.node_lost()
    assert summary(rig.machine.core) == "2 executions running, 1 node, 0 of 6 slots busy"
