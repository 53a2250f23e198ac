"""Files that hold the output of a slice whole or not at all, also when their writer is killed in the middle.

`AppendedFile`: one file of one worker, never opened again by another, with a journal that says how far it
is whole; where the file system allows it, a note on the file does, which saves a sync for each slice.  A
write that fails is undone at once; what a killed worker had half written is cut off by `journal.repair`.

`replace_file`: one file for each slice, written under a hidden name first; the same slice again replaces it.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from sliceworks.operations.builtin.extent import can_note, note, remove_note
from sliceworks.operations.builtin.journal import Journal


class AppendedFile:
    """A new file, to which the output of one slice after the other is added."""

    def __init__(self, path: Path, *, node_id: str, durable: bool) -> None:
        """FileExistsError if the file is there already."""
        self.path = path
        self.length = 0
        self.is_broken = False
        """A failure left file and journal apart: nothing more may be added."""
        self._durable = durable
        self._journal = Journal(path, node_id=node_id, durable=durable)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        self._is_noted = durable and can_note(self._descriptor)
        if durable:
            os.fsync(self._descriptor)
            sync_folder(path.parent)
        if self._is_noted:
            self._journal.leave_to_note()

    def append(self, data: bytes) -> None:
        """Add the output of a slice, on disk if it must be durable; when it fails, the file is as before."""
        length = self.length + len(data)
        try:
            if self._is_noted:
                note(self._descriptor, self.length, data)
            _write_all(self._descriptor, data, self.length)
            if self._durable:
                os.fsync(self._descriptor)
        except BaseException:
            self._undo()
            raise
        if not self._is_noted:
            self._move_journal(length)
        self.length = length

    def close(self) -> None:
        """End the file; an empty one is removed."""
        if self._is_noted and not self.is_broken:
            remove_note(self._descriptor)
        os.close(self._descriptor)
        if self.is_broken:
            self._journal.leave()
            return
        if self.length == 0:
            self.path.unlink(missing_ok=True)
        self._journal.remove()

    def _move_journal(self, length: int) -> None:
        try:
            self._journal.move(length)
        except BaseException:
            self._undo()
            self.is_broken = True
            raise

    def _undo(self) -> None:
        try:
            os.ftruncate(self._descriptor, self.length)
        except OSError:
            self.is_broken = True


def replace_file(path: Path, data: bytes, *, durable: bool) -> None:
    """Write a file whole, in place of an older one if there is one; when it fails, that one stays."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        try:
            _write_all(descriptor, data, 0)
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
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


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of it: the system may take less at a time, for instance when the disk is nearly full."""
    rest = memoryview(data)
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[written:], offset + written
