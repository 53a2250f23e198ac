"""`sliceworks new operation`: what it writes passes its own test, and is a bundle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sliceworks.cli.bundle import build_bundle
from sliceworks.cli.main import exit_code_of
from sliceworks.cli.scaffold import check_name
from sliceworks.protocol.errors import InvalidError
from tools.tree import ROOT

RUFF_RULES = "E,F,W,N,UP,B,A,C4,RET,SIM"


def new(tmp_path: Path, name: str, kind: str) -> Path:
    folder = tmp_path / "made"
    assert exit_code_of(["new", "operation", name, "--kind", kind, "--dir", str(folder)]) == 0
    return folder


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / ".dev")}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("kind", ["processor", "reader", "api"])
def test_its_tests_pass_at_once(tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = new(tmp_path, "my_own_op", kind)
    assert "my_own_op/schema.py" in json.loads(capsys.readouterr().out)["files"]
    ended = run(folder, "-m", "unittest")
    assert ended.returncode == 0, ended.stderr
    assert "Ran 0 tests" not in ended.stderr
    assert run(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider").returncode == 0


@pytest.mark.parametrize("kind", ["processor", "reader", "api"])
def test_it_is_a_bundle_and_reads_well(tmp_path: Path, kind: str) -> None:
    folder = new(tmp_path, "my_own_op", kind)
    bundle = build_bundle(folder)
    assert (bundle.name, bundle.version, bundle.operations) == ("my_own_op", "0.1.0", ["my_own_op"])
    assert not [name for name in bundle.files if name.startswith("tests")]
    job = json.loads((folder / "job.json").read_text())
    assert job["assets"] == ["my_own_op"]
    checked = run(
        folder, "-m", "ruff", "check", "--isolated", "--line-length", "110", "--select", RUFF_RULES, "."
    )
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Shout",
        "1st",
        "a-b",
        "a.b",
        "../x",
        "a b",
        "class",
        "json",
        "tests",
        "sliceworks",
        "noop",
        "é",
        "x" * 81,
    ],
)
def test_a_bad_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidError, match="name"):
        check_name(name)
    assert exit_code_of(["new", "operation", "--dir", str(tmp_path / "x"), "--", name]) == 2
    assert not (tmp_path / "x").exists()


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "made").mkdir()
    folder = new(tmp_path, "shout", "processor")  # an empty folder is as good as none
    before = (folder / "README.md").read_bytes()
    assert exit_code_of(["new", "operation", "other", "--dir", str(folder)]) == 5
    assert "is there already" in capsys.readouterr().err
    assert (folder / "README.md").read_bytes() == before
    assert not (folder / "other").exists()
    (tmp_path / "file").write_text("")
    assert exit_code_of(["new", "operation", "other", "--dir", str(tmp_path / "file")]) == 2
