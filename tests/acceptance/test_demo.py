"""The main job finds what `find` and `grep` find."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from pathlib import Path

from tests.acceptance.commands import run_cli
from tools.demo import count_lines, job_for, visible_files

COUNT = r"""
find "$1" -name '*.py' -not -path '*/site-packages/*' -print0 \
  | LC_ALL=C.UTF-8 xargs -0 grep -ahE '^\s*(async\s+)?def\s+\w+' | wc -l
"""


def test_the_demo_finds_every_function_of_the_standard_library(tmp_path: Path) -> None:
    source = Path(sysconfig.get_path("stdlib")).resolve()
    job, result = tmp_path / "job.json", tmp_path / "functions"
    job.write_text(json.dumps(job_for(source, result)))
    ended = run_cli("run", str(job), "--data-dir", str(tmp_path / "cluster"))
    assert ended.returncode == 0, ended.stderr
    counted = subprocess.run(
        ["sh", "-c", COUNT, "sh", str(source)], capture_output=True, text=True, check=True
    )
    assert count_lines(result) == int(counted.stdout)
    summary = json.loads(ended.stdout)
    assert summary["slices_completed"] > 10
    assert summary["operations"][-1]["records_out"] == int(counted.stdout)
    assert_every_line_has_file_and_text(result)


def assert_every_line_has_file_and_text(result: Path) -> None:
    for path in visible_files(result):
        for line in path.read_text().splitlines():
            record = json.loads(line)
            assert record["path"].endswith(".py")
            assert "def" in record["data"]
