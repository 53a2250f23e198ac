"""The command: help without imports, exit codes, mistakes."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import click
import pytest

from sliceworks.cli.main import COMMANDS, error_text, exit_code_of
from sliceworks.protocol.errors import Fault, InvalidError


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(["--help"]) == 0
    told = capsys.readouterr().out
    assert [name for name in COMMANDS if name not in told] == []


def test_every_command_can_be_imported_and_has_help() -> None:
    for name, place in COMMANDS.items():
        command = getattr(import_module(place.module), place.name)
        assert isinstance(command, click.Command)
        assert command.help, name
        assert exit_code_of([name, "--help"]) == 0


def test_help_imports_nothing_heavy() -> None:
    heavy = ("aiohttp", "pydantic", "rich", "msgspec", "uvloop", "asyncio")
    program = (
        "import sys; from sliceworks.cli.main import exit_code_of; exit_code_of(['--help']);"
        f"print([name for name in {heavy} if name in sys.modules], file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stderr.strip() == "[]"


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
