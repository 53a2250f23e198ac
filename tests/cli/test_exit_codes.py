"""Every exit code of the reference, and what brings it about."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from sliceworks.cli.main import exit_code_of
from tools.tree import ROOT

REFUSED = {"error": 400, "message": "refused", "faults": [{"path": "workers", "message": "is wrong"}]}


def execution(status: str) -> dict[str, str]:
    return {"ex_id": "e", "job_id": "j", "_status": status}


def error(status: int) -> dict[str, Any]:
    return {"error": status, "message": "what happened"}


CASES: list[tuple[int, list[str], int, Any]] = [
    (0, ["ex", "list"], 200, []),
    (0, ["ex", "wait", "e"], 200, execution("completed")),
    (1, ["ex", "show", "e"], 500, error(500)),
    (1, ["new", "operation", "shout", "--dir", "/proc/nothing/here"], 0, None),
    (2, ["ex", "lst"], 0, None),
    (2, ["ex", "list", "--size", "x"], 0, None),
    (2, ["ex", "list"], 400, REFUSED),
    (3, ["ex", "show", "e", "other"], 200, execution("running")),
    (4, ["ex", "show", "e"], 404, error(404)),
    (4, ["ex", "show", "e", "other"], 404, error(404)),
    (5, ["ex", "show", "e"], 409, error(409)),
    (5, ["ex", "show", "e"], 410, error(410)),
    (6, ["ex", "show", "e"], 403, error(403)),
    (7, ["ex", "show", "e"], 503, error(503)),
    (7, ["ex", "show", "e"], 200, b"<html>"),
    (7, ["ex", "show", "e"], 502, b"<html>bad gateway</html>"),
    (10, ["ex", "wait", "e"], 200, execution("failed")),
    (10, ["ex", "wait", "e"], 200, execution("rejected")),
    (11, ["ex", "wait", "e", "--timeout", "30ms"], 200, execution("running")),
    (12, ["ex", "wait", "e"], 200, execution("stopped")),
    (12, ["ex", "wait", "e"], 200, execution("terminated")),
]


@pytest.mark.parametrize(("code", "arguments", "status", "answer"), CASES)
def test_exit_codes(
    master: Any, monkeypatch: pytest.MonkeyPatch, code: int, arguments: list[str], status: int, answer: Any
) -> None:
    monkeypatch.setenv("SLICEWORKS_URL", master.url)
    for path in ("/ex", "/ex/e"):
        master.on("GET", path, answer, status=status)
    assert exit_code_of(arguments) == code


def test_what_the_system_does_not_allow_is_6(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_arguments: Any, **_options: Any) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert exit_code_of(["new", "operation", "shout", "--dir", str(tmp_path / "x")]) == 6


def test_ctrl_c_is_130_and_quiet(master: Any) -> None:
    master.on("GET", "/ex/e", execution("running"))
    command = [sys.executable, "-m", "sliceworks.cli", "ex", "wait", "e", "--url", master.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not master.requests:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    assert (process.returncode, output, errors.strip()) == (130, "", "")


def test_the_reference_lists_these() -> None:
    listed = re.findall(r"^\| (\d+) \|", (ROOT / "docs" / "cli.md").read_text(), re.MULTILINE)
    assert {int(code) for code in listed} == {case[0] for case in CASES} | {130}
