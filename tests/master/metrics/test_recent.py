"""The timings of executions that ended: the newest ones."""

from __future__ import annotations

from sliceworks.master.metrics.recent import RECENT, RecentTimings
from sliceworks.protocol.messages import Histogram, SliceTimings

TIMINGS = SliceTimings(Histogram([1], 1, 1))


def test_the_newest_are_kept() -> None:
    recent = RecentTimings()
    for number in range(RECENT + 5):
        recent.note(f"ex-{number}", TIMINGS)
    assert recent.of("ex-4") is None
    assert recent.of("ex-5") is TIMINGS
    assert recent.of(f"ex-{RECENT + 4}") is TIMINGS


def test_an_outcome_that_is_told_again_is_one() -> None:
    recent = RecentTimings()
    recent.note("first", TIMINGS)
    for _ in range(RECENT * 2):
        recent.note("again", TIMINGS)
    assert recent.of("first") is TIMINGS
