"""The command: help without imports, exit codes, mistakes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from sliceworks.cli.faults import error_text
from sliceworks.cli.main import COMMANDS, exit_code_of, sliceworks
from sliceworks.cli.tree import walk
from sliceworks.protocol.errors import Fault, InvalidError


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(["--help"]) == 0
    told = capsys.readouterr().out
    assert [name for name in COMMANDS if name not in told] == []


COMMAND_TREE = dict(walk(sliceworks))


@pytest.mark.parametrize("path", COMMAND_TREE)
def test_every_command_has_help(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = COMMAND_TREE[path]
    assert command.help
    undescribed = [
        parameter.name
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.help
    ]
    assert undescribed == []
    assert exit_code_of([*path.split()[1:], "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: {path} ")


def test_help_of_every_command_imports_nothing_heavy() -> None:
    heavy = ("aiohttp", "pydantic", "rich", "msgspec", "uvloop", "asyncio", "orjson", "structlog")
    paths = [path.split()[1:] for path in COMMAND_TREE]
    program = (
        "import sys; from sliceworks.cli.main import exit_code_of\n"
        f"for path in {paths}: exit_code_of([*path, '--help'])\n"
        f"print([name for name in {heavy} if name in sys.modules], file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stderr.strip() == "[]"


def test_what_the_system_refuses_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(["new", "operation", "shout", "--dir", str(tmp_path / ("x" * 300))]) == 1
    assert "File name too long" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("mistyped", "nearest"), [(["jbo"], "job"), (["job", "submti"], "submit"), (["vrify", "x"], "verify")]
)
def test_a_mistyped_command_gets_the_nearest(
    mistyped: list[str], nearest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code_of(mistyped) == 2
    assert f"Did you mean '{nearest}'" in capsys.readouterr().err


def test_a_mistyped_option_is_a_usage_error() -> None:
    assert exit_code_of(["dev", "--prot", "1"]) == 2


def test_a_master_that_is_away_is_exit_code_7(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(["ex", "list", "--url", "http://127.0.0.1:1"]) == 7
    (line,) = capsys.readouterr().err.splitlines()
    assert "http://127.0.0.1:1" in line


def test_faults_are_listed_below_the_message() -> None:
    error = InvalidError("the job is refused", (Fault("workers", "too few"), Fault("", "too odd")))
    assert error_text(error) == "Error: the job is refused\n  workers: too few\n  too odd"


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(["--version"]) == 0
    assert capsys.readouterr().out.startswith("0.")


CLOSED_PIPE = """
import os, sys
from sliceworks.cli.main import main
reader, writer = os.pipe()
os.close(reader)
os.dup2(writer, 1)
sys.argv = ["sliceworks", *{arguments}]
main()
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["config", "show", "-o", "ndjson"],
        ["config", "show", "-o", "table"],
        ["ex", "list"],
        ["ex", "list", "--all"],
        ["ex", "pause", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"],
    ],
)
def test_a_closed_pipe_is_quiet(master: Any, arguments: list[str]) -> None:
    master.on("GET", "/ex", [{"ex_id": "e", "job_id": "j", "_status": "running"}])
    for each in arguments:
        master.on("POST", f"/ex/{each}/_pause", {"status": "paused"})
    to = ["--url", master.url] if arguments[0] == "ex" else []
    program = CLOSED_PIPE.format(arguments=[*arguments, *to])
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
