"""Ctrl-C: once to stop, twice to hurry."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from sliceworks.cli.interrupts import InterruptedAtStartError, interrupts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_first_signal_stops_and_the_second_hurries(number: signal.Signals) -> None:
    hurried = asyncio.Event()
    with interrupts() as wishes:
        wishes.hurry = hurried.set
        wishes.check()
        os.kill(os.getpid(), number)
        await wishes.stopping.wait()
        with pytest.raises(InterruptedAtStartError):
            wishes.check()
        assert not hurried.is_set()
        os.kill(os.getpid(), number)
        await hurried.wait()


async def test_without_anything_to_hurry_the_second_signal_does_nothing() -> None:
    with interrupts() as wishes:
        wishes.count()
        wishes.count()
        assert wishes.stopping.is_set()
