"""What chaos does follows from its seed, and treats every kind alike."""

from __future__ import annotations

from collections import Counter

import pytest

from sliceworks.cli.chaos_ledger import Ledger
from sliceworks.cli.chaos_plan import OLDEST_SECONDS, Kind, episodes, extra_episode, wanted_of_each


def test_the_same_seed_makes_the_same_plan() -> None:
    assert episodes(7, 80) == episodes(7, 80)
    assert episodes(7, 80) != episodes(8, 80)


@pytest.mark.parametrize(("kills", "number"), [(1, 1), (4, 1), (5, 2), (200, 50)])
def test_an_episode_has_four_kills(kills: int, number: int) -> None:
    assert len(episodes(1, kills)) == number


def test_two_hundred_kills_have_each_kind_twenty_times_in_a_pair() -> None:
    plan = episodes(1, 200)
    assert Counter(kind for episode in plan for kind in episode.pair) == dict.fromkeys(Kind, 20)
    assert len({frozenset(episode.pair) for episode in plan}) == 10
    assert wanted_of_each(200) == 20


def test_successors_are_killed_young_and_nobody_hangs_who_is_killed() -> None:
    for episode in episodes(3, 400):
        for kind, age in zip(episode.pair, episode.ages, strict=True):
            assert 0 <= age <= OLDEST_SECONDS[kind] < 1
        assert episode.pause is None or episode.pause.kind not in episode.pair
    assert sum(episode.pause is not None for episode in episodes(3, 400)) > 10


def test_a_kind_that_was_killed_too_seldom_is_named() -> None:
    ledger = Ledger()
    for kind in Kind:
        for _ in range(4):
            ledger.killed(kind, age_seconds=9, recovering=False, paired=True)
            ledger.killed(kind, age_seconds=0.1, recovering=True, paired=False)
    assert ledger.gaps(40) == {}
    assert ledger.total == 40
    assert list(ledger.gaps(80)) == list(Kind)
    ledger.killed(Kind.MASTER, age_seconds=1.5, recovering=True, paired=False)
    assert ledger.moments[Kind.MASTER, "young"] == 4


@pytest.mark.parametrize("number", range(5))
def test_an_extra_episode_kills_two_kinds(number: int) -> None:
    pair = extra_episode(Kind.SLICER, number).pair
    assert pair[0] is Kind.SLICER
    assert pair[1] is not Kind.SLICER
