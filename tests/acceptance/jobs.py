"""Jobs that the acceptance tests run, and reading what they wrote."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

Job = dict[str, Any]


def generated(*steps: Job, size: int, slice_size: int = 1, workers: int = 2, **fields: Any) -> Job:
    """A job over generated records: `size` in all (`persistent`: in each slice)."""
    reader = {"_op": "data_generator", "size": size, "slice_size": slice_size}
    if fields.get("lifecycle") == "persistent":
        del reader["slice_size"]
    return {"name": "test", "workers": workers, "operations": [reader, *steps], **fields}


def delay(ms: int) -> Job:
    return {"_op": "delay", "ms": ms}


def noop() -> Job:
    return {"_op": "noop"}


def exporter(path: Path, *, file_per_slice: bool = False) -> Job:
    return {
        "_op": "file_exporter",
        "path": str(path),
        "format": "ldjson",
        "file_per_slice": file_per_slice,
    }


def written_records(path: Path) -> list[Job]:
    """Every record in the files of an exporter's folder; what begins with a dot is no output."""
    files = sorted(file for file in path.iterdir() if not file.name.startswith("."))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def written_ids(path: Path) -> Counter[int]:
    """How often each generated record was written."""
    return Counter(record["id"] for record in written_records(path))
