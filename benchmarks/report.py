"""Results as a table on stdout and as a JSON file in `bench-output/`."""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sliceworks.cli.output import Style, print_rows

OUTPUT = Path(__file__).resolve().parent.parent / "bench-output"


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
