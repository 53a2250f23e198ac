"""The node's state says which assignments it reflects, and only when it does."""

from __future__ import annotations

from sliceworks.protocol.messages import LinkInfo, WorkerInfo
from sliceworks.worker.pool import PoolChanged
from sliceworks.worker.roster import Roster


def changed(ex_id: str, number: int) -> PoolChanged:
    worker = WorkerInfo(number, 100 + number, ex_id, "idle")
    return PoolChanged(ex_id, number, [worker], LinkInfo(ex_id, connected=True))


def test_a_revision_is_reflected_when_every_pool_has_acted() -> None:
    roster = Roster()
    number = roster.assigned(revision=70)
    roster.added("a")
    roster.added("b")
    assert roster.state().revision == 0
    roster.changed(changed("a", number))
    assert roster.state().revision == 0
    roster.changed(changed("b", number))
    state = roster.state()
    assert (state.revision, [worker.ex_id for worker in state.workers]) == (70, ["a", "b"])
    roster.assigned(revision=71)
    assert roster.state().revision == 70


def test_a_pool_that_is_over_holds_nothing_up() -> None:
    roster = Roster()
    number = roster.assigned(revision=5)
    roster.added("a")
    roster.removed("a")
    roster.changed(changed("a", number))
    state = roster.state()
    assert (state.revision, state.workers, state.links) == (5, [], [])


def test_a_new_connection_reflects_nothing_of_the_one_before() -> None:
    roster = Roster()
    roster.added("a")
    roster.changed(changed("a", roster.assigned(revision=90)))
    assert roster.state().revision == 90
    roster.connected()
    assert roster.state().revision == 0
    number = roster.assigned(revision=2)
    assert roster.state().revision == 0
    roster.changed(changed("a", number))
    assert roster.state().revision == 2


def test_an_unreadable_execution_is_one_whose_workers_do_not_start() -> None:
    roster = Roster()
    roster.assigned(revision=1)
    roster.broken("a", "no such field")
    assert roster.state().links == [LinkInfo("a", False, 3, "no such field")]
    roster.assigned(revision=2)
    assert roster.state().links == []
