"""The `sliceworks` command as a child process of a test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.harness import MARK, command_of, eventually, marked_processes


@dataclass
class Running:
    """A command under way; `mark` finds all processes that it started."""

    process: subprocess.Popen[str]
    mark: str

    def line(self) -> str:
        """The next line of its stdout."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def daemon(self, command: str) -> int:
        """The pid of its master or worker daemon; LookupError if there is none."""
        for pid in marked_processes(self.mark):
            if command_line(pid)[1:5] == ["-P", "-m", "sliceworks.cli", command]:
                return pid
        raise LookupError(command)

    def interrupt(self) -> tuple[int, str]:
        """Ctrl-C; its exit code, and what it said on stderr."""
        self.process.send_signal(signal.SIGINT)
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, errors

    def wait_until_nothing_is_left(self) -> None:
        eventually(lambda: not marked_processes(self.mark), "no process is left")


@contextmanager
def command(*arguments: str) -> Iterator[Running]:
    """Start `sliceworks` with these arguments; at the end nothing that it started may be left."""
    mark = uuid.uuid4().hex
    process = subprocess.Popen(
        [sys.executable, "-m", "sliceworks.cli", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, MARK: mark},
    )
    with process:
        try:
            yield Running(process, mark)
        finally:
            process.kill()
            left = {pid: command_of(pid) for pid in marked_processes(mark)}
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            assert not left, f"processes are left: {left}"


def run_cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The `sliceworks` command, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "sliceworks.cli", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def command_line(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
