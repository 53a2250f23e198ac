"""A measured figure: what was measured, every value, and the target it is held against."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class Skipped(Exception):  # noqa: N818 - no error: the row says why it was not measured
    """The row cannot be measured here; the text says what is missing."""


@dataclass(frozen=True)
class Stage:
    """What a row is given: a folder on the disk of the clone, and whether it may take long."""

    folder: Path
    is_full: bool


@dataclass(frozen=True)
class Figure:
    """One line of the table; `values` are the runs, in turns with those it is compared with."""

    what: str
    values: Sequence[float]
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def target(self) -> str:
        """As the table shows it."""
        if self.at_least is not None:
            return f"≥ {shown(self.at_least)}"
        return f"≤ {shown(self.at_most)}" if self.at_most is not None else ""

    @property
    def holds(self) -> bool | None:
        """Whether the median reaches the target; None without one."""
        if self.at_least is not None:
            return self.median >= self.at_least
        return self.median <= self.at_most if self.at_most is not None else None

    def line(self, row: str) -> dict[str, str]:
        """For the table."""
        spread = f"{shown(min(self.values))} to {shown(max(self.values))}" if len(self.values) > 1 else ""
        met = {True: "yes", False: "NO", None: ""}[self.holds]
        return {
            "row": row,
            "figure": self.what,
            "median": f"{shown(self.median)} {self.unit}".strip(),
            "spread": spread,
            "runs": str(len(self.values)),
            "target": f"{self.target} {self.unit}".strip() if self.target else "",
            "met": met,
            "note": self.note,
        }


def ratio(what: str, ours: Figure, theirs: Figure, *, at_least: float) -> Figure:
    """Of the medians of one run of the row."""
    return Figure(what, [ours.median / theirs.median], "x", at_least=at_least)


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that no more than `100 - percent` in a hundred exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def shown(number: float | None) -> str:
    """Three digits, or whole thousands."""
    if number is None:
        return ""
    if abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.2f}" if abs(number) < 10 else f"{number:.1f}"


def wait_for(check: Callable[[], bool], *, pause: float = 0.02, seconds: float = 600) -> None:
    """Look again and again; a request that fails, or waiting too long, is a failure of the benchmark."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            message = f"not within {seconds} s"
            raise TimeoutError(message)
        time.sleep(pause)
