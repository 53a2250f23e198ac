"""Results as a table on stdout and as a JSON file in `bench-output/`."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure
from sliceworks.cli.output import Style, print_rows

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "bench-output"


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder on the disk of the clone: `/tmp` may be memory, where nothing has to be synced."""
    OUTPUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="cluster-", dir=OUTPUT) as folder:
        yield Path(folder)


def table(title: str, rows: Sequence[dict[str, Any]]) -> None:
    """Print rows under a title; the columns are the keys of the first."""
    print(f"\n{title}\n")
    print_rows(rows, list(rows[0]), Style.TABLE)


def save(name: str, results: dict[str, Any]) -> None:
    """Write `name`.json, with what it was measured on."""
    OUTPUT.mkdir(exist_ok=True)
    machine = {"cpus": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}
    path = OUTPUT / f"{name}.json"
    path.write_text(json.dumps({"machine": machine, **results}, indent=2) + "\n", encoding="utf-8")
    print(f"\nwritten to bench-output/{path.name}")


@dataclass
class Outcome:
    """What became of one row: figures, or why there are none."""

    row: str
    figures: list[Figure] = field(default_factory=list)
    skipped: str = ""
    failure: str = ""
    seconds: float = 0.0

    def lines(self) -> list[dict[str, str]]:
        """For the table; at least one."""
        if self.figures:
            return [figure.line(self.row) for figure in self.figures]
        why = f"skipped: {self.skipped}" if self.skipped else f"failed: {self.failure}"
        return [{**Figure("-", [0.0]).line(self.row), "median": "", "runs": "", "note": why}]


def save_table(outcomes: list[Outcome]) -> None:
    """Write `bench.json` and `bench.md`: every line, and what it was measured on."""
    machine = described_machine()
    rows = {outcome.row: _as_json(outcome) for outcome in outcomes}
    (OUTPUT / "bench.json").write_text(json.dumps({"machine": machine, "rows": rows}, indent=2) + "\n")
    lines = [line for outcome in outcomes for line in outcome.lines()]
    columns = list(lines[0])
    cells = [columns, ["---"] * len(columns), *([line[name] for name in columns] for line in lines)]
    described = ", ".join(f"{name}: {value}" for name, value in machine.items())
    text = "\n".join("| " + " | ".join(row) + " |" for row in cells)
    (OUTPUT / "bench.md").write_text(f"Machine: {described}\n\n{text}\n")


def described_machine() -> dict[str, str]:
    """What decides about figures."""
    model = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    memory = Path("/proc/meminfo").read_text().split()[1]
    return {
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "processor": model[0].partition(":")[2].strip() if model else platform.machine(),
        "cores": str(os.cpu_count()),
        "memory": f"{int(memory) / 1e6:.0f} GB",
        "system": platform.platform(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "load at this moment": " ".join(f"{load:.1f}" for load in os.getloadavg()),
    }


def _as_json(outcome: Outcome) -> dict[str, Any]:
    figures = [
        {"figure": f.what, "median": f.median, "values": list(f.values), "unit": f.unit, "target": f.target,
         "met": f.holds, "note": f.note, **f.details}
        for f in outcome.figures
    ]  # fmt: skip
    return {
        "seconds": outcome.seconds,
        "skipped": outcome.skipped,
        "failure": outcome.failure,
        "figures": figures,
    }
