"""How far an output file is whole: a small hidden file beside it, kept by the only process that writes it.

It says whose the file is, and how far it is whole, unless a note on the file itself says so (`extent`).
While the writer lives, nobody else touches the two.  When it was killed in the middle of a write, a worker
of the same node cuts the file back to the whole part (`repair`).  A journal that is not kept on disk
(`durable` is false) says nothing after the machine itself went down, and is then only removed.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from pydantic import BaseModel, Field

from sliceworks.operations.builtin.extent import remove_note, whole_length
from sliceworks.protocol.process import Identity, identity_of, is_alive

_SUFFIX: Final = ".journal.tmp"
_LENGTH: Final = b"%020d\n"
_NOTED: Final = b"on the file itself  \n"  # as long as a length


class _Owner(BaseModel):
    """The second line of a journal; the first is the length of the whole part."""

    node_id: str
    durable: bool
    pid: int
    start_time: int
    boot_id: str


class _State(BaseModel):
    length: int | None = Field(ge=0)  # None: a note on the file itself says it
    owner: _Owner


class Journal:
    """The journal of one file of this process."""

    def __init__(self, file: Path, *, node_id: str, durable: bool) -> None:
        """Begins with a length of 0; FileExistsError if somebody writes that file already."""
        identity = _this_process()
        owner = _Owner(
            node_id=node_id,
            durable=durable,
            pid=identity.pid,
            start_time=identity.start_time,
            boot_id=identity.boot_id,
        )
        self._path = _path_of(file)
        self._durable = durable
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        os.pwrite(self._descriptor, _LENGTH % 0 + owner.model_dump_json().encode() + b"\n", 0)
        if durable:
            os.fsync(self._descriptor)

    def move(self, length: int) -> None:
        """The file is whole up to `length`; on disk when this returns, if it is durable."""
        self._say(_LENGTH % length)

    def leave_to_note(self) -> None:
        """From now on a note on the file says how far it is whole; a file without one is whole."""
        self._say(_NOTED)

    def remove(self) -> None:
        """The file is whole and closed."""
        os.close(self._descriptor)
        self._path.unlink(missing_ok=True)

    def leave(self) -> None:
        """The file is not whole: leave it to a later `repair`."""
        os.close(self._descriptor)

    def _say(self, line: bytes) -> None:
        os.pwrite(self._descriptor, line, 0)
        if self._durable:
            os.fdatasync(self._descriptor)


def repair(folder: Path, node_id: str) -> list[Path]:
    """Cut off what dead workers of this node left half written in `folder`; returns the files cut."""
    with os.scandir(folder) as entries:
        journals = [Path(entry.path) for entry in entries if entry.name.endswith(_SUFFIX)]
    return [_file_of(journal) for journal in journals if _repair_one(journal, node_id)]


def _repair_one(journal: Path, node_id: str) -> bool:
    state = _read(journal)
    if state is None or state.owner.node_id != node_id or _lives(state.owner):
        return False
    is_trusted = state.owner.durable or state.owner.boot_id == _this_process().boot_id
    was_cut = is_trusted and _cut(_file_of(journal), state)
    journal.unlink(missing_ok=True)
    return was_cut


def _cut(file: Path, state: _State) -> bool:
    """Whether there was anything to cut off."""
    try:
        with file.open("r+b") as opened:
            length = state.length
            if length is None:
                length = whole_length(opened.fileno())
            was_cut = length is not None and _truncate(opened.fileno(), length, durable=state.owner.durable)
            remove_note(opened.fileno())  # only now: what the journal leaves to it is whole without it
        if was_cut and length == 0:
            file.unlink()
    except FileNotFoundError:
        return False
    return was_cut


def _truncate(descriptor: int, length: int, *, durable: bool) -> bool:
    if os.fstat(descriptor).st_size <= length:
        return False
    os.ftruncate(descriptor, length)
    if durable:
        os.fsync(descriptor)
    return True


def _read(journal: Path) -> _State | None:
    """What a journal says; None if it is gone by now, or was being made when its owner died."""
    try:
        line, _, owner = journal.read_bytes().partition(b"\n")
        length = None if line == _NOTED.removesuffix(b"\n") else int(line)
        return _State(length=length, owner=_Owner.model_validate_json(owner))
    except (FileNotFoundError, ValueError):
        return None


def _lives(owner: _Owner) -> bool:
    return is_alive(Identity(owner.pid, owner.start_time, owner.boot_id))


def _this_process() -> Identity:
    identity = identity_of(os.getpid())
    if identity is None:
        message = "this process is not in /proc"
        raise RuntimeError(message)
    return identity


def _path_of(file: Path) -> Path:
    return file.with_name(f".{file.name}{_SUFFIX}")


def _file_of(journal: Path) -> Path:
    return journal.with_name(journal.name.removeprefix(".").removesuffix(_SUFFIX))
