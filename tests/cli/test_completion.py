"""Shell completion."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from sliceworks.cli.main import exit_code_of

HEAVY = ("aiohttp", "pydantic", "asyncio")
PROGRAM = (
    "import sys\nfrom sliceworks.cli.main import exit_code_of\n"
    "try: exit_code_of([])\n"
    f"finally: print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
)


def completed(words: str) -> list[str]:
    """What the shell would offer for the last word."""
    environment = {
        **os.environ,
        "_SLICEWORKS_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
    )
    assert ended.stderr.strip() == "[]"
    return [line.partition(",")[2] for line in ended.stdout.splitlines()]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("sliceworks co", ["config", "completion"]),
        ("sliceworks job st", ["start", "stop"]),
        ("sliceworks job list -o ", ["table", "json", "ndjson"]),
        ("sliceworks ex recover --cle", ["--cleanup"]),
        ("sliceworks --ver", ["--version"]),
    ],
)
def test_completes_names_without_importing_much(words: str, offered: list[str]) -> None:
    assert completed(words) == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert f"_SLICEWORKS_COMPLETE={shell}_complete" in script
    program = shutil.which(shell)
    if program:
        subprocess.run([program, "-n"], input=script, text=True, check=True)


def test_another_shell_is_a_usage_error() -> None:
    assert exit_code_of(["completion", "tcsh"]) == 2
