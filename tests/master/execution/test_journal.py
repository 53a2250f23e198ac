"""What one batch says of a slice, when much has happened to it in between."""

from __future__ import annotations

from sliceworks.master.execution.journal import Ended, Journal
from sliceworks.master.execution.model import Link, Now, Slice
from sliceworks.master.store.batch import Batch, Head
from sliceworks.protocol.states import ResultKind, SliceState

NOW = Now(10, 1_000)


def taken(journal: Journal) -> Batch:
    batch, _ = journal.take()
    assert batch is not None
    return batch


def test_a_slice_that_is_leased_as_it_is_made_is_one_row() -> None:
    journal, item = Journal(Head(), 0), Slice(1, 0, 1, b"1")
    journal.insert(item)
    journal.lease(Link(5, "n", "i", "h", connection=1), [item], NOW)
    [group] = taken(journal).groups
    assert [(row[0], row[4]) for row in group.inserts] == [(1, SliceState.START)]
    assert group.first_leases == []


def test_a_slice_that_is_leased_in_a_later_group_is_made_pending() -> None:
    journal, link = Journal(Head(), 0), Link(5, "n", "i", "h", connection=1)
    returned, waiting = Slice(1, 0, 1, b"1"), Slice(2, 0, 2, b"2")
    journal.insert(returned)
    journal.insert(waiting)
    journal.lease(link, [returned], NOW)
    returned.link = None
    journal.requeue(returned, Ended(ResultKind.RETURNED), NOW)  # which opens another group
    journal.lease(link, [waiting], NOW)
    first, second = taken(journal).groups
    assert [(row[0], row[4]) for row in first.inserts] == [(1, SliceState.PENDING), (2, SliceState.PENDING)]
    assert second.first_leases == [(5, 1_000, 1_000, 2)]
