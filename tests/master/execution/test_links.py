"""Connections of daemons that overtake each other, and hellos that list a slice twice."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import structs

from sliceworks.master.execution import events as ev
from sliceworks.protocol.messages import LinkHello, LinkState, Refused
from sliceworks.protocol.states import ResultKind
from tests.master.execution.conftest import Rig

RigMaker = Callable[..., Rig]


def sends(rig: Rig, event: ev.Event) -> list[tuple[int, object]]:
    """What is sent to whom because of an event, as soon as all of it is written."""
    effects = rig.machine.handle(event, rig.now) + rig.machine.flush(rig.now)
    rig.writes += [effect for effect in effects if isinstance(effect, ev.Write | ev.LoadPending)]
    return [(effect.connection, effect.message) for effect in effects if isinstance(effect, ev.Send)]


def numbered(hello: LinkHello, number: int) -> LinkHello:
    return structs.replace(hello, number=number)


def leased_rig(make_rig: RigMaker) -> Rig:
    """Two slices are made, and leased to the only daemon on connection 7, with its second hello."""
    rig = make_rig(slices=2, daemons=1)
    rig.make(2)
    while rig.writes:
        rig.write()
    daemon = rig.daemons[0]
    daemon.connection = 7
    rig.feed(ev.LinkOpened(7, numbered(daemon.hello(), 2)))
    rig.feed(ev.LinkReported(7, LinkState(2, 1, 2, 0, daemon.window)))
    while rig.writes:
        rig.write()
    assert daemon.held == {1: 1, 2: 1}
    return rig


def test_a_hello_that_was_overtaken_by_a_later_one_changes_nothing_and_is_told_so(make_rig: RigMaker) -> None:
    rig = leased_rig(make_rig)
    late = structs.replace(rig.daemons[0].hello(), held_seqs=[], held_epochs=[], number=1)

    sent = sends(rig, ev.LinkOpened(8, late))

    assert [(connection, type(message)) for connection, message in sent] == [(8, Refused)]
    rig.feed(ev.LinkClosed(8))
    rig.end(rig.daemons[0], dict.fromkeys([1, 2], ResultKind.COMPLETED))
    while rig.writes:
        rig.write()
    assert rig.machine.report().counts.completed == 2


def test_a_connection_that_was_replaced_is_told_so(make_rig: RigMaker) -> None:
    rig = leased_rig(make_rig)

    sent = sends(rig, ev.LinkOpened(8, numbered(rig.daemons[0].hello(), 3)))

    assert [(connection, type(message)) for connection, message in sent] == [(7, Refused)]


def test_a_connection_of_another_incarnation_that_was_ended_is_told_so(make_rig: RigMaker) -> None:
    rig = leased_rig(make_rig)
    rig.daemons[0].restart()

    sent = sends(rig, ev.LinkOpened(8, numbered(rig.daemons[0].hello(), 1)))

    assert [(connection, type(message)) for connection, message in sent] == [(7, Refused)]
    assert rig.machine.report().counts.pending == 2


def test_a_lease_that_is_listed_beside_an_older_result_of_its_slice_is_kept(make_rig: RigMaker) -> None:
    rig = leased_rig(make_rig)
    daemon = rig.daemons[0]
    rig.end(daemon, {2: ResultKind.RETURNED})
    returned = daemon.results[:]
    while rig.writes:
        rig.write()
    assert daemon.held == {1: 1, 2: 2}

    listed = structs.replace(daemon.hello(), held_seqs=[1, 2, 2], held_epochs=[1, 2, 1], number=3)
    rig.feed(ev.LinkOpened(8, listed))
    daemon.connection = 8
    for batch in returned:
        rig.feed(ev.ResultsArrived(8, batch))
    while rig.writes:
        rig.write()

    assert rig.machine.report().counts.start == 2
    rig.end(daemon, dict.fromkeys([1, 2], ResultKind.COMPLETED))
    while rig.writes:
        rig.write()
    assert rig.machine.report().counts.completed == 2


def test_why_workers_wait_or_do_not_start_is_the_reason_of_the_execution(make_rig: RigMaker) -> None:
    rig = make_rig()
    for daemon in rig.daemons:
        rig.connect(daemon)
    first, second = (daemon.connection or 0 for daemon in rig.daemons)
    waits = LinkState(0, 0, 0, 0, 4, start_failures=0, start_error="the master is away")
    rig.feed(ev.LinkReported(first, waits))
    rig.feed(ev.LinkReported(second, LinkState(0, 0, 0, 0, 4)))
    assert rig.machine.report().reason == "workers wait on node-0: the master is away"
    fails = LinkState(0, 0, 0, 0, 4, start_failures=1, start_error="no module")
    rig.feed(ev.LinkReported(second, fails))
    assert rig.machine.report().reason == "workers do not start on node-1: no module"
