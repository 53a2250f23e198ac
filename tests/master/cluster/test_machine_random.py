"""Any order of requests, crashes, silences and restarts: the rules hold, and what is stopped ends."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.master.cluster.world import ACTIONS, World

COMMON = ("start", "spawn", "attach", "report", "join", "obey", "time", "stop")
actions = st.lists(
    st.tuples(st.sampled_from((*ACTIONS, *COMMON, *COMMON)), st.integers(0, 7)), min_size=5, max_size=70
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(actions)
def test_the_rules_hold_in_any_order_of_events(drawn: list[tuple[str, int]]) -> None:
    world = World()
    for name, number in drawn:
        world.act(name, number)
    world.heal()


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(actions)
def test_a_busy_cluster_survives_it_too(drawn: list[tuple[str, int]]) -> None:
    world = World()
    for number in range(3):
        world.act("join", number)
        world.act("obey", number)
        world.act("start", number + 3)
        world.act("spawn", 1)
        world.act("attach", number)
        world.act("report", number * 5)
    for name, number in drawn:
        world.act(name, number)
    world.heal()
