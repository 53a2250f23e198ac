"""Files that hold the output of a slice whole or not at all, also when their writer is killed in the middle.

`AppendedFile`: one file of one worker, never opened again by another.  A hidden journal beside it says how far it is
whole: moved on after each slice, on disk before the slice is reported if output must be durable.  A write that fails
is undone at once.  What a killed worker had half written is cut off by `repair`, which the workers of the same node
call when they start and when they end.

`replace_file`: one file for each slice, written under a hidden name first; the same slice again replaces it.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ValidationError

from sliceworks.protocol.process import Identity, identity_of, is_alive

_JOURNAL_SUFFIX: Final = ".journal.tmp"
_LENGTH_FORMAT: Final = b"%020d\n"


class _Owner(BaseModel):
    """Who writes a file: the second line of its journal; the first is the length up to which the file is whole."""

    node_id: str
    durable: bool
    pid: int
    start_time: int
    boot_id: str


class AppendedFile:
    """A file to which the output of one slice after the other is added.  Made by `create`."""

    def __init__(self, path: Path, *, durable: bool, file: int, journal: int) -> None:
        self.path = path
        self.length = 0
        self.is_broken = False
        """A failed write could not be undone: nothing more may be added, `repair` does it when this process is gone."""
        self._durable, self._file, self._journal = durable, file, journal

    @classmethod
    def create(cls, path: Path, *, node_id: str, durable: bool) -> AppendedFile:
        """A new file; FileExistsError if there is one."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        journal = os.open(_journal_of(path), flags, 0o666)
        identity = identity_of(os.getpid())
        if identity is None:
            message = "this process is not listed in /proc"
            raise RuntimeError(message)
        owner = _Owner(
            node_id=node_id,
            durable=durable,
            pid=identity.pid,
            start_time=identity.start_time,
            boot_id=identity.boot_id,
        )
        os.pwrite(journal, _LENGTH_FORMAT % 0 + owner.model_dump_json().encode() + b"\n", 0)
        file = os.open(path, flags, 0o666)
        if durable:
            os.fsync(journal)
            sync_folder(path.parent)
        return cls(path, durable=durable, file=file, journal=journal)

    def append(self, data: bytes) -> None:
        """Add the output of a slice; when it fails, the file is as before."""
        length = self.length + len(data)
        try:
            _write_all(self._file, data, self.length)
            if self._durable:
                os.fdatasync(self._file)
            os.pwrite(self._journal, _LENGTH_FORMAT % length, 0)
            if self._durable:
                os.fdatasync(self._journal)
        except BaseException:
            self._undo()
            raise
        self.length = length

    def close(self) -> None:
        """End the file: it needs no journal any more, unless it is broken; an empty one is removed."""
        os.close(self._file)
        os.close(self._journal)
        if self.is_broken:
            return
        if self.length == 0:
            self.path.unlink(missing_ok=True)
        _journal_of(self.path).unlink(missing_ok=True)

    def _undo(self) -> None:
        try:
            os.ftruncate(self._file, self.length)
            os.pwrite(self._journal, _LENGTH_FORMAT % self.length, 0)
        except OSError:
            self.is_broken = True


def repair(folder: Path, node_id: str) -> list[Path]:
    """Cut off what dead workers of this node had half written in the folder; returns the files that were cut."""
    return [
        file
        for entry in os.scandir(folder)
        if entry.name.startswith(".")
        and entry.name.endswith(_JOURNAL_SUFFIX)
        and (file := _repair_one(Path(entry.path), node_id))
    ]


def replace_file(path: Path, data: bytes, *, durable: bool) -> None:
    """Write a file whole, in place of an older one; when it fails, that one stays."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    try:
        file = os.open(temporary, flags, 0o666)
        try:
            _write_all(file, data, 0)
            if durable:
                os.fsync(file)
        finally:
            os.close(file)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
