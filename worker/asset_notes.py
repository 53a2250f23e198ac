"""What a node notes of an asset that it has unpacked, so that it can tell whether it is still like that.

The modification time of a note is when its asset was used last.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

_PIECE: Final = 1024 * 1024
_MADE_BY_PYTHON: Final = "__pycache__"


class AssetNote(Struct, frozen=True):
    """Of one asset."""

    tree: str
    """The digest of all names and contents, but not of what Python compiles beside them."""
    size: int
    """Bytes of all files."""


def note_of(directory: Path) -> AssetNote:
    """What is there now; OSError if it cannot be read."""
    digest, size = hashlib.sha1(usedforsecurity=False), 0
    for path in sorted(_files(directory)):
        name = os.fsencode(path.relative_to(directory))
        digest.update(b"%d:%s" % (len(name), name))
        content = hashlib.sha1(usedforsecurity=False)
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                content.update(piece)
                size += len(piece)
        digest.update(content.digest())
    return AssetNote(digest.hexdigest(), size)


def read_note(path: Path) -> AssetNote | None:
    """The note; None if there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=AssetNote)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def write_note(path: Path, note: AssetNote) -> None:
    """Write it so that it is there whole or not at all."""
    new = path.with_suffix(".new")
    new.write_bytes(msgspec.json.encode(note))
    new.replace(path)


def _files(directory: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(directory):
        if _MADE_BY_PYTHON in folders:
            folders.remove(_MADE_BY_PYTHON)
        yield from (Path(folder, name) for name in files)
