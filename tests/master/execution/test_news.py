"""What slicers hear of their slices: each once, in order, what is on record only, and only if wanted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from sliceworks.protocol.ids import ExId, Seq, slice_id_of
from sliceworks.protocol.messages import SliceNews, StatisticsNews
from sliceworks.protocol.states import ResultKind, SliceState

ALL = ("enqueued", "dispatch", "complete", "statistics")


def told(rig: Any, what: str) -> list[tuple[str, int]]:
    """(slice id, state) of each slice that was told."""
    news = [news for news in rig.news if isinstance(news, SliceNews) and news.what == what]
    return [(slice_id, item.state) for item in news for slice_id in item.slice_ids]


def ids(rig: Any, count: int) -> list[str]:
    return [slice_id_of(ExId(rig.ex_id), Seq(seq)) for seq in range(1, count + 1)]


def test_every_slice_is_told_of_three_times(make_rig: Callable[..., Any]) -> None:
    rig = make_rig(slices=30, hooks=ALL)
    rig.settle()
    assert rig.finished == ("completed", "")
    for what, state in (("enqueued", 0), ("dispatch", 0), ("complete", SliceState.COMPLETED)):
        assert Counter(told(rig, what)) == Counter((slice_id, state) for slice_id in ids(rig, 30))
    requests = {
        request: (slicer_id, order)
        for news in rig.news
        if isinstance(news, SliceNews)
        for slicer_id, order, request in zip(news.slicer_ids, news.orders, news.requests, strict=True)
    }
    assert requests == {b"%d" % order: (0, order) for order in range(1, 31)}


def test_a_slice_is_queued_before_it_is_given_away_and_done_after_it(make_rig: Callable[..., Any]) -> None:
    rig = make_rig(slices=30, hooks=ALL)
    rig.settle()
    life: dict[str, list[str]] = {}
    for news in rig.news:
        if isinstance(news, SliceNews):
            for slice_id in news.slice_ids:
                life.setdefault(slice_id, []).append(news.what)
    assert set(map(tuple, life.values())) == {("enqueued", "dispatch", "complete")}


@pytest.mark.parametrize("hook", ["enqueued", "dispatch", "complete"])
def test_only_what_is_wanted_is_told(make_rig: Callable[..., Any], hook: str) -> None:
    rig = make_rig(slices=5, hooks=(hook,))
    rig.settle()
    assert {news.what for news in rig.news} == {hook}
    assert len(told(rig, hook)) == 5


def test_without_hooks_nothing_is_told_and_the_slicer_may_end_early(make_rig: Callable[..., Any]) -> None:
    rig = make_rig(slices=5)
    rig.settle()
    assert rig.news == []


def test_nothing_is_told_that_is_not_on_record(make_rig: Callable[..., Any]) -> None:
    rig = make_rig(slices=5, hooks=ALL)
    while rig.writes:
        rig.write()
    rig.make(5)
    assert rig.writes
    assert told(rig, "enqueued") == []
    rig.write()
    assert len(told(rig, "enqueued")) == 5


def test_a_further_try_is_told_and_so_is_the_end_in_error(make_rig: Callable[..., Any]) -> None:
    rig = make_rig(slices=1, daemons=1, hooks=ALL, max_retries=1)
    [daemon] = rig.daemons
    for _ in range(200):
        while rig.writes:
            rig.write()
        rig.make(1)
        if daemon.connection is None:
            rig.connect(daemon)
        if daemon.held:
            rig.end(daemon, dict.fromkeys(list(daemon.held), ResultKind.ERROR))
        rig.pass_time(200)
        if rig.finished:
            break
    [slice_id] = ids(rig, 1)
    assert told(rig, "dispatch") == [(slice_id, 0)] * 2
    assert told(rig, "complete") == [(slice_id, SliceState.ERROR)]


def test_a_successor_tells_of_slices_that_it_found(make_rig: Callable[..., Any]) -> None:
    rig = make_rig(slices=300, hooks=ALL)
    while rig.writes:
        rig.write()
    rig.make(8)
    rig.connect(rig.daemons[0])
    while rig.writes:
        rig.write()
    rig.crash(committed=True)
    rig.news.clear()
    rig.settle()
    done = told(rig, "complete")
    assert sorted(done) == sorted((slice_id, SliceState.COMPLETED) for slice_id in ids(rig, 300))


def test_the_counters_are_told_every_few_seconds(make_rig: Callable[..., Any]) -> None:
    rig = make_rig(slices=5, hooks=("statistics",))
    for _ in range(11):
        rig.pass_time(1_000)
    assert len(rig.news) == 3
    assert all(isinstance(news, StatisticsNews) for news in rig.news)
