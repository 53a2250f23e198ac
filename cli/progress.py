"""How a run shows where it stands: a bar on a terminal, a line each few seconds elsewhere; both on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

import click

LINE_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Where an execution stands."""

    status: str
    done: int
    made: int
    failed: int
    records: int
    sliced: bool  # all slices are made: `made` is final


class Display(Protocol):
    """Something that shows snapshots."""

    def show(self, snapshot: Snapshot) -> None:
        """Called several times a second."""
        ...


@contextmanager
def display() -> Iterator[Display]:
    """The display that fits stderr, for as long as the block lasts."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    with _bar() as bar:
        yield bar


class Lines:
    """A line each three seconds, and one when slicing has ended."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._next = self._started + LINE_SECONDS

    def show(self, snapshot: Snapshot) -> None:
        """Print a line if it is time for one."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + LINE_SECONDS
        click.echo(line(snapshot, seconds=now - self._started), err=True)


def line(snapshot: Snapshot, *, seconds: float) -> str:
    """One line of text with everything the bar shows."""
    rate = snapshot.done / seconds if seconds > 0 else 0.0
    made = f"{snapshot.made:,}" if snapshot.sliced else f"{snapshot.made:,} or more"
    left = (snapshot.made - snapshot.done) / rate if rate else 0.0
    parts = [
        snapshot.status,
        f"{snapshot.done:,} of {made} slices",
        *([f"{snapshot.failed:,} failed"] if snapshot.failed else []),
        f"{snapshot.records:,} records",
        f"{rate:,.1f} slices/s",
        *([f"{left:,.0f} s left"] if rate and snapshot.sliced else []),
    ]
    return ", ".join(parts)


@contextmanager
def _bar() -> Iterator[Display]:
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.TextColumn("{task.completed:,} of {task.fields[made]} slices"),
        progress.TextColumn("{task.fields[records]:,} records"),
        progress.TextColumn("{task.fields[rate]:,.0f}/s"),
        progress.TimeElapsedColumn(),
        progress.TextColumn("ETA"),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True)) as shown:
        yield _Bar(shown)


class _Bar:
    """Feeds rich's bar."""

    def __init__(self, shown: object) -> None:
        from rich.progress import Progress

        assert isinstance(shown, Progress)
        self._shown = shown
        self._started = time.monotonic()
        self._task = shown.add_task("starting", total=None, made="?", records=0, rate=0.0)

    def show(self, snapshot: Snapshot) -> None:
        """Move the bar; without a length as long as nothing is made."""
        seconds = time.monotonic() - self._started
        failed = f" ({snapshot.failed:,} failed)" if snapshot.failed else ""
        self._shown.update(
            self._task,
            description=snapshot.status + failed,
            completed=snapshot.done,
            total=snapshot.made or None,
            made=f"{snapshot.made:,}{'' if snapshot.sliced else '+'}",
            records=snapshot.records,
            rate=snapshot.done / seconds if seconds > 0 else 0.0,
        )
