"""Gives the records of a slice to a program, and goes on with what it answers."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any

import orjson
from pydantic import Field

from sliceworks.operations.base import OperationSetup
from sliceworks.operations.bundle_outline import AssetPlace
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
        """One of the job's `assets`, written as there: `command` is the path of a file in it."""

        def check(self, job: Mapping[str, Any]) -> Iterable[Fault]:
            """Finds what is sure to fail."""
            if not self.command:
                yield Fault("command", "must not be empty")
            if self.asset is not None and self.asset not in (job.get("assets") or ()):
                yield Fault("asset", "must be one of the job's assets, written as there")

    op_config: Options
    keeps_batches = True
    makes_cycles = False

    def __init__(self, setup: OperationSetup) -> None:
        super().__init__(setup)
        self._command: str = self.op_config.command

    def initialize(self) -> None:
        """Find the program, if it is in an asset."""
        if self.op_config.asset is not None:
            self._command = in_asset(self.op_config.asset, self._command, self.context.assets)

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
                [self._command, *options.args],
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


def in_asset(identifier: str, command: str, assets: Sequence[AssetPlace]) -> str:
    """The path of the program; the asset is meant by its id, its name, or name and version."""
    name, _, version = identifier.partition(":")
    named = [place for place in assets if place.name == name]
    exact = [place for place in named if place.version == version]
    by_id = [place for place in assets if place.asset_id == identifier]
    found = by_id or exact or named
    if len(found) != 1:
        message = f"asset {identifier} can be any of {len(found)} of the job: give its version, or its id"
        raise ValueError(message)
    [place] = found
    path = (place.directory / command).resolve()
    if not path.is_relative_to(place.directory.resolve()) or not path.is_file():
        message = f"there is no file {command}"
        raise place.error(message)
    if not os.access(path, os.X_OK):
        message = f"{command} cannot be executed: make it executable (chmod +x) before the zip is built"
        raise place.error(message)
    return str(path)


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
