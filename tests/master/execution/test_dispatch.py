"""Who gets which slice: windows are kept, the tail is shared, idle daemons get what others have waiting."""

from __future__ import annotations

import pytest

from sliceworks.master.execution.dispatch import Dispatcher
from sliceworks.master.execution.events import Send
from sliceworks.master.execution.journal import Journal
from sliceworks.master.execution.model import Link, Now, Slice
from sliceworks.master.execution.queue import SliceQueue
from sliceworks.master.store.batch import Head
from sliceworks.protocol.messages import LinkState, RecallSlices
from sliceworks.protocol.timings import Timings

NOW = Now(0, 0)


def link(node: int, window: int, available: int = 1) -> Link:
    made = Link(node, f"n{node}", f"i{node}", f"h{node}", connection=node, window=window)
    made.state = LinkState(available, 0, available, 0, window)
    return made


def dispatcher(slices: int) -> tuple[Dispatcher, dict[int, Slice]]:
    queue = SliceQueue()
    queue.extend([Slice(n + 1, 0, n + 1, b"{}") for n in range(slices)])
    return Dispatcher(queue, Journal(Head(), 0), Timings()), {}


def test_no_daemon_gets_more_than_its_window() -> None:
    dispatch, leases = dispatcher(100)
    links = [link(1, 3), link(2, 5)]
    for one in links:
        dispatch.note(one)
    dispatch.dispatch(leases, NOW)
    assert [one.outstanding for one in links] == [3, 5]
    assert len(leases) == 8


def test_a_short_queue_is_shared_evenly() -> None:
    dispatch, leases = dispatcher(9)
    links = [link(n, 100) for n in (1, 2, 3)]
    for one in links:
        dispatch.note(one)
    dispatch.dispatch(leases, NOW)
    assert [one.outstanding for one in links] == [3, 3, 3]


def test_a_silent_daemon_gets_nothing() -> None:
    dispatch, leases = dispatcher(5)
    silent = link(1, 10)
    silent.connection = None
    dispatch.note(silent)
    dispatch.dispatch(leases, NOW)
    assert not leases


def test_waiting_slices_are_recalled_for_an_idle_daemon_once() -> None:
    dispatch, _ = dispatcher(0)
    idle, full = link(1, 4, available=2), link(2, 8, available=1)
    full.outstanding = 6
    assert dispatch.recalls([idle, full]) == [Send(2, RecallSlices(2))]
    assert dispatch.recalls([idle, full]) == []


def test_nothing_is_recalled_while_there_is_something_to_lease() -> None:
    dispatch, _ = dispatcher(1)
    idle, full = link(1, 4), link(2, 8)
    full.outstanding = 6
    assert dispatch.recalls([idle, full]) == []


def test_many_daemons_hold_no_more_together_than_the_controller_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sliceworks.master.execution.dispatch.MAX_HELD", 10)
    dispatch, leases = dispatcher(100)
    links = [link(n, 50) for n in (1, 2, 3)]
    for one in links:
        dispatch.note(one)
    dispatch.dispatch(leases, NOW)
    assert len(leases) == 10
    leases.pop(1)
    dispatch.dispatch(leases, NOW)
    assert len(leases) == 10
