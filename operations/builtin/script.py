"""Gives the records of a slice to a program, and goes on with what it answers."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from typing import IO, Any

import orjson
from pydantic import Field

from sliceworks.operations.options import StrictOptions
from sliceworks.operations.processors import BatchProcessor
from sliceworks.operations.record import Records
from sliceworks.protocol.errors import Fault
from sliceworks.protocol.process import die_with_parent

STDERR_TAIL_BYTES = 4096


class Script(BatchProcessor):
    """Runs a program once for each slice: its records as a JSON array on stdin, a JSON array back on stdout.

    An exit code other than 0 fails the slice, with the end of what the program wrote to stderr.  The
    program stays in the process group of its worker and is killed with it.
    """

    class Options(StrictOptions):
        """What to run."""

        command: str
        """The program: a path, or a name that is looked up in the worker's PATH."""
        args: list[str] = Field(default_factory=list)
        """Its arguments."""
        options: dict[str, str | int | float] = Field(default_factory=dict)
        """Environment variables for it, besides those of the worker."""
        asset: str | None = None
        """Not available yet: must be left out."""

        def check(self, job: Mapping[str, Any]) -> Iterable[Fault]:
            """Says what cannot be done yet."""
            if not self.command:
                yield Fault("command", "must not be empty")
            if self.asset is not None:
                yield Fault(
                    "asset", "programs from assets are not available; give the path of an installed one"
                )

    op_config: Options
    keeps_batches = True
    makes_cycles = False

    def on_batch(self, records: Records) -> Records:
        """What the program answered."""
        with tempfile.TemporaryFile() as stderr:
            done = self._run(orjson.dumps(records), stderr)
            if done.returncode != 0:
                message = f"{self.op_config.command} {_ending(done.returncode)}{_tail(stderr)}"
                raise RuntimeError(message)
        return self._records(done.stdout)

    def _run(self, stdin: bytes, stderr: IO[bytes]) -> subprocess.CompletedProcess[bytes]:
        options = self.op_config
        environment = os.environ | {name: str(value) for name, value in options.options.items()}
        try:
            return subprocess.run(
                [options.command, *options.args],
                input=stdin,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=environment,
                check=False,
                preexec_fn=die_with_parent,  # safe: a worker has one thread
            )
        except OSError as error:
            message = f"cannot run {options.command} on this node: {error.strerror}"
            raise RuntimeError(message) from error

    def _records(self, stdout: bytes) -> Records:
        try:
            records = orjson.loads(stdout)
        except orjson.JSONDecodeError as error:
            start = stdout[:200].decode(errors="replace")
            message = f"{self.op_config.command} answered no JSON ({error}); its output begins with {start!r}"
            raise ValueError(message) from error
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            message = f"{self.op_config.command} must answer a JSON array of objects"
            raise TypeError(message)
        return records


def _ending(code: int) -> str:
    if code > 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal has no name
        return f"was killed by signal {-code}"


def _tail(stderr: IO[bytes]) -> str:
    size = stderr.seek(0, os.SEEK_END)
    stderr.seek(max(0, size - STDERR_TAIL_BYTES))
    text = stderr.read().decode(errors="replace").strip()
    return f"; the end of its stderr:\n{text}" if text else " and wrote nothing to stderr"
