"""What a disk holds for sure at every instant of a trace: what was synced, and nothing else.

A power cut may leave any part of the other writes as well: `copy_to` can add one, drawn from a seed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

from tests.acceptance.system_calls import Began, Event, Synced, Truncated, Unlinked, Wrote


@dataclass
class _File:
    synced: bytearray = field(default_factory=bytearray)
    unsynced: list[tuple[int, Wrote | Truncated]] = field(default_factory=list)  # by the call after it


class DiskImage:
    """The files of one folder, by the path below it."""

    def __init__(self, folder: Path) -> None:
        self._prefix = f"{folder}/"
        self._files: dict[str, _File] = {}
        self._call = 0
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix != ".lock" and not path.name.endswith("-shm"):
                self._files[str(path.relative_to(folder))] = _File(bytearray(path.read_bytes()))

    def take(self, event: Event) -> None:
        """The next event of the trace."""
        match event:
            case Began(number):
                self._call = number
            case Wrote(path) | Truncated(path) if path.startswith(self._prefix):
                self._file(path).unsynced.append((self._call, event))
            case Synced(path, number) if path.removeprefix(self._prefix) in self._files:  # or it is a folder
                _sync(self._file(path), number)
            case Unlinked(path):
                self._files.pop(path.removeprefix(self._prefix), None)

    def holds(self, path: str, data: bytes) -> bool:
        """Whether a synced file has these bytes in it."""
        file = self._files.get(path)
        return file is not None and data in file.synced

    def has(self, path: str) -> bool:
        """Whether something of a file was synced."""
        file = self._files.get(path)
        return file is not None and bool(file.synced)

    def copy_to(self, folder: Path, *, torn: random.Random | None = None) -> Path:
        """Write the files as a power cut now would leave them; `torn`: with some of the unsynced writes."""
        for name, file in self._files.items():
            content = bytearray(file.synced)
            for _, change in file.unsynced if torn else ():
                if torn and torn.random() < 0.5:
                    _apply(content, change)
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        return folder

    def _file(self, path: str) -> _File:
        return self._files.setdefault(path.removeprefix(self._prefix), _File())


def _sync(file: _File, number: int) -> None:
    """What had ended before the sync began is on the disk."""
    for _, change in (item for item in file.unsynced if item[0] < number):
        _apply(file.synced, change)
    file.unsynced = [item for item in file.unsynced if item[0] >= number]


def _apply(content: bytearray, change: Wrote | Truncated) -> None:
    match change:
        case Truncated(_, size):
            del content[size:]
            content.extend(bytes(size - len(content)))
        case Wrote(_, offset, data):
            content.extend(bytes(max(0, offset - len(content))))
            content[offset : offset + len(data)] = data
