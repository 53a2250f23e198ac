"""The jobs that bring executions into their statuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Job = dict[str, Any]

ASSET = "contract"


def busy(*, ms: int = 300, workers: int = 1, slices: int = 100_000) -> Job:
    """Has slices to do for as long as it is let; each takes `ms`."""
    reader = {"_op": "data_generator", "size": slices, "slice_size": 1}
    return {
        "name": "busy",
        "lifecycle": "once",
        "workers": workers,
        "operations": [reader, {"_op": "delay", "ms": ms}],
    }


def done() -> Job:
    """Is completed at once."""
    return busy(ms=0, slices=2)


def bad(folder: Path, *, good: int, workers: int = 1) -> Job:
    """Its first slice fails; the `good` others are done, each in a while."""
    requests = [[{"data": "no JSON"}], *([{"data": "{}"}] for _ in range(good))]
    path = folder / f"requests-{good}.json"
    path.write_text(json.dumps(requests))
    reader = {"_op": "test_reader", "slicer_data_file_path": str(path), "passthrough_slice": True}
    steps = [{"_op": "json_parser"}, {"_op": "delay", "ms": 300 if good > 1 else 0}]
    return {
        "name": "bad",
        "lifecycle": "once",
        "workers": workers,
        "max_retries": 0,
        "operations": [reader, *steps],
    }


def from_asset(*, recoverable: bool) -> Job:
    """Endless work of an asset's reader."""
    reader = {"_op": "recoverable_reader" if recoverable else "forgetful_reader"}
    operations = [reader, {"_op": "delay", "ms": 300}]
    return {
        "name": "from-asset",
        "lifecycle": "once",
        "workers": 1,
        "assets": [ASSET],
        "operations": operations,
    }
