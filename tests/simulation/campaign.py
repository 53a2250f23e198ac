"""Many seeds on all cores, and what came of them in one table."""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.simulation.faults import Kind, Step
from tests.simulation.world import Outcome, run_seed

CHUNK = 10


@dataclass(slots=True)
class Report:
    """The sum of all outcomes."""

    schedules: int = 0
    seconds: float = 0.0
    slices: int = 0
    attempts: int = 0
    virtual_ms: int = 0
    injected: Counter[tuple[Kind, Step]] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    failures: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """One more."""
        self.schedules += 1
        self.slices += outcome.slices
        self.attempts += outcome.attempts
        self.virtual_ms += outcome.virtual_ms
        self.injected.update(outcome.injected)
        self.statuses.update(outcome.statuses)
        if outcome.failure:
            self.failures.append(outcome)

    def empty_cells(self) -> list[tuple[Kind, Step]]:
        """Faults that were never injected at a step."""
        return [(kind, step) for kind in Kind for step in Step if not self.injected[kind, step]]

    def text(self) -> str:
        """All of it, for people."""
        lines = [
            self._first_line(),
            f"{self.injected.total()} faults, by kind and by step of a slice's path:",
            "",
            *self._table(),
            "",
            f"{len(self.empty_cells())} empty cells, {len(self.failures)} failures",
            *(f"SEED={item.seed}: {item.failure}" for item in self.failures),
        ]
        return "\n".join(lines)

    def _first_line(self) -> str:
        hours = self.virtual_ms / 3_600_000
        endings = ", ".join(f"{count} {status}" for status, count in self.statuses.most_common())
        return (
            f"{self.schedules} schedules in {self.seconds:.0f} s ({hours:.0f} hours of virtual time): "
            f"{self.statuses.total()} executions ({endings}), {self.slices} slices, {self.attempts} attempts"
        )

    def _table(self) -> list[str]:
        width = max(len(kind) for kind in Kind)
        heads = [step.value.replace(" ", "\n", 1).split("\n") for step in Step]
        columns = [max(5, *(len(word) for word in head)) for head in heads]
        rows = [[head[n] if n < len(head) else "" for head in heads] for n in range(2)]
        rows += [[str(self.injected[kind, step]) for step in Step] for kind in Kind]
        names = ["", "", *Kind]
        return [
            f"{name:<{width}} " + " ".join(f"{cell:>{size}}" for cell, size in zip(row, columns, strict=True))
            for name, row in zip(names, rows, strict=True)
        ]


def run_campaign(seeds: Iterable[int], *, processes: int) -> Report:
    """Play all of them; the report does not depend on who played which."""
    report = Report()
    started = time.monotonic()
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        for outcome in pool.imap(run_seed, seeds, chunksize=CHUNK):
            report.add(outcome)
    report.seconds = time.monotonic() - started
    return report
