"""Where workers go."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sliceworks.master.scaling import Access, Demand, Room, place

NODES = ("a", "b", "c")
EXECUTIONS = ("x", "y", "z")


def test_workers_spread_evenly() -> None:
    rooms = [Room("a", 4), Room("b", 4), Room("c", 4)]
    assert place([Demand("x", 6)], rooms) == {"x": {"a": 2, "b": 2, "c": 2}}


def test_fewer_slots_than_wanted_are_all_used() -> None:
    assert place([Demand("x", 5)], [Room("a", 1), Room("b", 2)]) == {"x": {"a": 1, "b": 2}}


def test_what_runs_stays_where_it_is() -> None:
    rooms = [Room("a", 4), Room("b", 4)]
    assert place([Demand("x", 2, {"a": 2})], rooms) == {"x": {"a": 2}}


def test_a_new_node_tops_up() -> None:
    placed = {"a": 2}
    assert place([Demand("x", 3, placed)], [Room("a", 2), Room("b", 4)]) == {"x": {"a": 2, "b": 1}}


def test_everybody_gets_a_first_worker_before_anybody_gets_a_second() -> None:
    assert place([Demand("x", 9), Demand("y", 9)], [Room("a", 3)]) == {"x": {"a": 2}, "y": {"a": 1}}


def test_the_older_execution_comes_first() -> None:
    assert place([Demand("x", 1), Demand("y", 1)], [Room("a", 1)]) == {"x": {"a": 1}, "y": {}}


def test_what_is_not_wanted_any_more_leaves_the_fullest_node() -> None:
    rooms = [Room("a", 4), Room("b", 4)]
    assert place([Demand("x", 3, {"a": 4, "b": 1})], rooms) == {"x": {"a": 2, "b": 1}}


def test_a_silent_node_keeps_its_share_and_gets_no_more() -> None:
    rooms = [Room("a", 4, Access.KEEPS), Room("b", 1)]
    assert place([Demand("x", 4, {"a": 2})], rooms) == {"x": {"a": 2, "b": 1}}


def test_a_draining_node_loses_its_share_at_once() -> None:
    rooms = [Room("a", 4, Access.CLOSED), Room("b", 4)]
    assert place([Demand("x", 2, {"a": 2})], rooms) == {"x": {"b": 2}}


def test_slots_of_ending_workers_are_not_given_away() -> None:
    assert place([Demand("x", 2)], [Room("a", 2, taken=1)]) == {"x": {"a": 1}}


def test_workers_that_still_run_hold_their_slots() -> None:
    rooms = [Room("a", 2, running={"x": 2})]
    assert place([Demand("x", 1, {"a": 2}), Demand("y", 1)], rooms) == {"x": {"a": 1}, "y": {}}


def test_a_limit_holds_on_its_node_only() -> None:
    rooms = [Room("a", 4), Room("b", 4)]
    assert place([Demand("x", 4, {"a": 2}, {"a": 0})], rooms) == {"x": {"b": 4}}


demands = st.lists(
    st.builds(
        Demand,
        ex_id=st.sampled_from(EXECUTIONS),
        wanted=st.integers(1, 12),
        placed=st.dictionaries(st.sampled_from(NODES), st.integers(0, 6)),
        limits=st.dictionaries(st.sampled_from(NODES), st.integers(0, 3)),
    ),
    unique_by=lambda demand: demand.ex_id,
)
rooms = st.lists(
    st.builds(
        Room,
        node_id=st.sampled_from(NODES),
        slots=st.integers(0, 8),
        access=st.sampled_from(Access),
        taken=st.integers(0, 3),
        running=st.dictionaries(st.sampled_from(EXECUTIONS), st.integers(1, 4)),
    ),
    unique_by=lambda room: room.node_id,
)


@given(demands, rooms)
def test_never_more_than_wanted_nor_than_there_are_slots(
    wanted: list[Demand], given_rooms: list[Room]
) -> None:
    placed = place(wanted, given_rooms)
    for demand in wanted:
        assert sum(placed[demand.ex_id].values()) <= demand.wanted
        for node_id, count in placed[demand.ex_id].items():
            assert count <= demand.limits.get(node_id, count)
    for room in given_rooms:
        given_there = {ex_id: shares.get(room.node_id, 0) for ex_id, shares in placed.items()}
        assert sum(given_there.values()) <= room.slots
        assert room.access is not Access.CLOSED or not any(given_there.values())


@given(demands, rooms)
def test_placing_again_changes_nothing(wanted: list[Demand], given_rooms: list[Room]) -> None:
    placed = place(wanted, given_rooms)
    again = [Demand(demand.ex_id, demand.wanted, placed[demand.ex_id], demand.limits) for demand in wanted]
    assert place(again, given_rooms) == placed


@given(demands, rooms)
def test_no_slot_is_left_free_while_it_is_wanted(wanted: list[Demand], given_rooms: list[Room]) -> None:
    placed = place(wanted, given_rooms)
    for room in (room for room in given_rooms if room.access is Access.OPEN):
        held = {ex_id: shares.get(room.node_id, 0) for ex_id, shares in placed.items()}
        busy = {
            **room.running,
            **{ex_id: max(count, room.running.get(ex_id, 0)) for ex_id, count in held.items()},
        }
        if sum(busy.values()) + room.taken >= room.slots:
            continue
        for demand in wanted:
            limit = demand.limits.get(room.node_id)
            full = limit is not None and held[demand.ex_id] >= limit
            assert full or sum(placed[demand.ex_id].values()) == demand.wanted
