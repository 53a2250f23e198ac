"""Silence is told from stalls of our own; no test waits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sliceworks.protocol.heartbeat import PERIODS_OF_SILENCE, Beat, Heartbeat

PERIOD = 100
LIMIT = PERIODS_OF_SILENCE * PERIOD


def run_to(heartbeat: Heartbeat, end: int) -> list[Beat]:
    """Tick on time until `end`."""
    beats = []
    while heartbeat.due <= end and Beat.SILENT not in beats:
        beats.append(heartbeat.tick(heartbeat.due))
    return beats


def test_a_silent_side_says_that_it_lives_each_period() -> None:
    heartbeat = Heartbeat(PERIOD, 0)
    assert run_to(heartbeat, 2 * PERIOD) == [Beat.NOTHING, Beat.PING, Beat.PING]


def test_a_side_that_sends_needs_no_ping() -> None:
    heartbeat = Heartbeat(PERIOD, 0)
    for now in range(0, 1000, 50):
        heartbeat.sent(now)
        heartbeat.received(now)
        assert Beat.PING not in run_to(heartbeat, now)


def test_a_peer_is_silent_after_three_periods_and_not_before() -> None:
    heartbeat = Heartbeat(PERIOD, 0)
    assert Beat.SILENT not in run_to(heartbeat, LIMIT - 1)
    assert run_to(heartbeat, LIMIT)[-1] is Beat.SILENT


def test_any_sign_of_life_starts_a_new_period() -> None:
    heartbeat = Heartbeat(PERIOD, 0)
    run_to(heartbeat, LIMIT - 1)
    heartbeat.received(LIMIT - 1)
    assert Beat.SILENT not in run_to(heartbeat, 2 * LIMIT - 2)


def test_a_stall_of_our_own_gives_the_peer_a_full_new_period() -> None:
    heartbeat = Heartbeat(PERIOD, 0)
    run_to(heartbeat, PERIOD)
    woken = 100 * LIMIT
    assert heartbeat.tick(woken) is not Beat.SILENT
    assert Beat.SILENT not in run_to(heartbeat, woken + LIMIT - 1)
    assert run_to(heartbeat, woken + LIMIT)[-1] is Beat.SILENT


def test_a_tick_that_is_a_little_late_is_no_stall() -> None:
    heartbeat = Heartbeat(PERIOD, 0)
    beats: list[Beat] = []
    while Beat.SILENT not in beats and len(beats) < 10:
        beats.append(heartbeat.tick(heartbeat.due + PERIOD - 1))
    assert Beat.SILENT in beats


@given(st.lists(st.tuples(st.integers(0, 500), st.sampled_from(["sent", "received", "tick"]))))
def test_a_peer_is_never_blamed_within_three_periods_of_a_sign_of_life(steps: list[tuple[int, str]]) -> None:
    heartbeat = Heartbeat(PERIOD, 0)
    now = last_received = 0
    for wait, what in steps:
        now += wait
        match what:
            case "sent":
                heartbeat.sent(now)
            case "received":
                heartbeat.received(now)
                last_received = now
            case _:
                if heartbeat.tick(now) is Beat.SILENT:
                    assert now - last_received >= LIMIT
                assert heartbeat.due <= now + PERIOD
