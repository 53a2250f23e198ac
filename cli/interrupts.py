"""Ctrl-C and SIGTERM as a wish of the person: the first time stop, the second time hurry."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class InterruptedAtStartError(Exception):
    """The person changed their mind before there was anything to stop."""


class Interrupts:
    """What the person has asked for so far; `hurry` is called at the second time."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        self.hurry: Callable[[], None] = _nothing

    def check(self) -> None:
        """InterruptedAtStartError once the person has asked to stop."""
        if self.stopping.is_set():
            raise InterruptedAtStartError

    def count(self) -> None:
        """One more signal."""
        if self.stopping.is_set():
            self.hurry()
        self.stopping.set()


@contextmanager
def interrupts() -> Iterator[Interrupts]:
    """Take SIGINT and SIGTERM over, for as long as the block lasts."""
    loop = asyncio.get_running_loop()
    wishes = Interrupts()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, wishes.count)
    try:
        yield wishes
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _nothing() -> None:
    """There is nothing to hurry yet."""
