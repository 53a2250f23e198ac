"""Runs `sliceworks` as a person does, on a terminal, and as a script does, in a pipe."""

from __future__ import annotations

import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fcntl import ioctl

SECONDS = 100
COLUMNS = 110


@dataclass(frozen=True)
class Order:
    """One command; `interrupt_at`: Ctrl-C when it has printed this."""

    arguments: Sequence[str]
    stdin: str | None = None
    interrupt_at: str = ""


@dataclass(frozen=True)
class Outcome:
    """What it did; on a terminal errors are in `output` too."""

    arguments: Sequence[str]
    code: int
    output: str
    errors: str = ""


@dataclass
class Player:
    """Runs commands with one environment."""

    environment: Mapping[str, str] = field(default_factory=dict)

    def in_a_pipe(self, order: Order) -> Outcome:
        """Stdin, stdout and stderr are pipes."""
        process = self._start(order, subprocess.PIPE, subprocess.PIPE)
        assert process.stdout is not None
        assert process.stderr is not None
        streams = _Streams({process.stdout.fileno(): b"", process.stderr.fileno(): b""})
        with process:
            self._feed(process, order, streams)
            output, errors = streams.texts()
        return Outcome(order.arguments, process.returncode, output, errors)

    def on_a_terminal(self, order: Order) -> Outcome:
        """Stdout and stderr are a pseudo-terminal, and stdin too if nothing is piped into it."""
        ours, theirs = pty.openpty()
        ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
        process = self._start(order, theirs, theirs)
        os.close(theirs)
        streams = _Streams({ours: b""})
        with process:
            self._feed(process, order, streams)
        os.close(ours)
        return Outcome(order.arguments, process.returncode, streams.texts()[0].replace("\r\n", "\n"))

    def _start(self, order: Order, stdout: int, stderr: int) -> subprocess.Popen[bytes]:
        stdin = subprocess.PIPE if order.stdin is not None else stdout if stdout >= 0 else subprocess.DEVNULL
        return subprocess.Popen(
            [sys.executable, "-m", "sliceworks.cli", *order.arguments],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env={**os.environ, "TERM": "xterm", **self.environment},
            start_new_session=True,
        )

    def _feed(self, process: subprocess.Popen[bytes], order: Order, streams: _Streams) -> None:
        if process.stdin:
            process.stdin.write((order.stdin or "").encode())
            process.stdin.close()
        try:
            if order.interrupt_at:
                streams.read(until=order.interrupt_at.encode())
                process.send_signal(signal.SIGINT)
            streams.read()
            process.wait(SECONDS)
        finally:
            process.kill()


class _Streams:
    """Reads several files to their ends."""

    def __init__(self, read: dict[int, bytes]) -> None:
        self._read = read
        self._open = set(read)

    def read(self, *, until: bytes = b"") -> None:
        deadline = time.monotonic() + SECONDS
        while self._open and not (until and any(until in data for data in self._read.values())):
            ready, _, _ = select.select(list(self._open), [], [], max(0, deadline - time.monotonic()))
            if not ready:
                message = f"the command is silent: {self.texts()}"
                raise AssertionError(message)
            for stream in ready:
                self._read_some(stream)

    def texts(self) -> list[str]:
        return [data.decode() for data in self._read.values()]

    def _read_some(self, stream: int) -> None:
        try:
            data = os.read(stream, 65536)
        except OSError:  # the other end of the terminal is closed
            data = b""
        if not data:
            self._open.discard(stream)
        self._read[stream] += data
