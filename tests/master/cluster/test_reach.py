"""A node that reaches the master but not a controller: its share goes to others."""

from __future__ import annotations

import pytest

from sliceworks.master.cluster import effects as ef
from sliceworks.master.cluster.model import Limits
from sliceworks.protocol.messages import LinkInfo
from tests.master.cluster.rig import Rig, worker

LIMIT_MS = Limits().disconnect_ms
DOWN = [LinkInfo("ex", connected=False)]
UP = [LinkInfo("ex", connected=True)]
WORKERS = [worker(1, "ex"), worker(2, "ex")]


@pytest.fixture
def rig() -> Rig:
    """Two workers on the node `node`; the node `other` has room for as many."""
    rig = Rig()
    rig.run(workers=2, slots=2)
    rig.node("other", slots=2)
    rig.node_reports("node", WORKERS, links=UP)
    return rig


def test_the_share_is_placed_elsewhere_after_the_timeout(rig: Rig) -> None:
    rig.node_reports("node", WORKERS, links=DOWN)
    rig.pass_time(LIMIT_MS - 1)
    assert rig.placement() == {"node": 2}
    rig.pass_time(1)
    assert rig.placement() == {"node": 0, "other": 2}
    assert rig.assigned("node")["ex"].workers == 0
    assert rig.assigned("other")["ex"].workers == 2
    assert "controller_out_of_reach" in [note.event for note in rig.take(ef.Note)]


def test_a_link_that_came_back_in_time_changes_nothing(rig: Rig) -> None:
    rig.node_reports("node", WORKERS, links=DOWN)
    rig.pass_time(LIMIT_MS - 1)
    rig.node_reports("node", WORKERS, links=UP)
    rig.pass_time(2 * LIMIT_MS)
    assert rig.placement() == {"node": 2}


def test_after_healing_what_was_placed_stays_where_it_is(rig: Rig) -> None:
    rig.node_reports("node", WORKERS, links=DOWN)
    rig.pass_time(LIMIT_MS)
    rig.node_reports("other", WORKERS, links=UP)
    rig.node_reports("node", WORKERS, links=UP)
    assert rig.placement() == {"node": 0, "other": 2}
    rig.node_reports("node", [])
    assert rig.placement() == {"other": 2}


def test_a_controller_that_is_not_there_is_nobodys_fault(rig: Rig) -> None:
    rig.crash()
    rig.node_reports("node", WORKERS, links=DOWN)
    rig.pass_time(LIMIT_MS)
    assert rig.placement() == {"node": 2}


def test_where_nobody_else_could_have_it_nothing_is_taken_away() -> None:
    rig = Rig()
    rig.run(workers=2, slots=2)
    rig.node_reports("node", WORKERS, links=DOWN)
    rig.pass_time(LIMIT_MS)
    assert rig.placement() == {"node": 2}
    rig.node("other", slots=2)
    assert rig.placement() == {"node": 0, "other": 2}


def test_another_incarnation_of_the_node_is_not_blamed(rig: Rig) -> None:
    rig.node_reports("node", WORKERS, links=DOWN)
    rig.pass_time(LIMIT_MS)
    rig.node("node", slots=2, incarnation="second")
    assert rig.machine.core.executions["ex"].unreached == {}


def test_a_finished_execution_leaves_nothing_behind(rig: Rig) -> None:
    rig.node_reports("node", WORKERS, links=DOWN)
    rig.concluded("completed")
    rig.pass_time(LIMIT_MS)
    rig.exited()
    rig.node_reports("node", [])
    assert "ex" not in rig.machine.core.executions
    rig.pass_time(LIMIT_MS)
