"""The demo: finds every function of the Python standard library that it runs on.

Real files, real processes: `sliceworks run` with a job of three operations and two workers.  The number of
functions is the number of lines in the result.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any

from tools.tree import ROOT

OUTPUT = ROOT / "demo-output"
FUNCTION = r"^\s*(?:async\s+)?def\s+\w+"
WORKERS = 2


def job_for(source: Path, result: Path) -> dict[str, Any]:
    """The job: each line of the `.py` files below `source` that begins a function, with its file."""
    return {
        "name": "functions of the standard library",
        "workers": WORKERS,
        "operations": [
            {
                "_op": "file_reader",
                "path": f"{source}/**/*.py",
                "exclude": ["site-packages", "__pycache__"],
                "format": "raw",
                "size": 200_000,
            },
            {"_op": "filter", "field": "data", "regex": FUNCTION},
            {"_op": "file_exporter", "path": str(result), "format": "ldjson", "fields": ["path", "data"]},
        ],
    }


def count_lines(result: Path) -> int:
    """Lines in all files of a result."""
    return sum(path.read_bytes().count(b"\n") for path in visible_files(result))


def visible_files(result: Path) -> list[Path]:
    """The files of a result; what begins with a dot is no output."""
    return sorted(path for path in result.iterdir() if not path.name.startswith("."))


def main() -> int:
    """Run it; the exit code of `sliceworks run`."""
    source = Path(sysconfig.get_path("stdlib")).resolve()
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir()
    job, result = OUTPUT / "job.json", OUTPUT / "functions"
    job.write_text(json.dumps(job_for(source, result), indent=2) + "\n", encoding="utf-8")
    print(
        f"every function in the .py files below {source}, with {WORKERS} workers: demo-output/job.json",
        flush=True,
    )
    started = time.monotonic()
    command = [sys.executable, "-m", "sliceworks.cli", "run", str(job)]
    ended = subprocess.run(
        [*command, "--data-dir", str(OUTPUT / "cluster"), "--output", "table"], check=False
    )
    if ended.returncode == 0:
        _tell(result, seconds=time.monotonic() - started)
    return ended.returncode


def _tell(result: Path, *, seconds: float) -> None:
    files = visible_files(result)
    with files[0].open(encoding="utf-8") as lines:
        first = next(lines).rstrip("\n")
    print(
        f"\n{count_lines(result):,} functions found, in {seconds:.1f} s with the start and end of the cluster"
    )
    print(f"they are in {result.relative_to(ROOT)}/ ({len(files)} files), one a line, such as\n  {first}")


if __name__ == "__main__":
    sys.exit(main())
