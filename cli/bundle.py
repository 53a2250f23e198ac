"""Building a bundle: the same files give the same bytes, and so the same id, wherever it is built.

Entries are in the order of their names, all with one time and one mode (executable or not), deflated at one
level.
"""

from __future__ import annotations

import fnmatch
import hashlib
import io
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sliceworks.protocol.errors import InvalidError, UnprocessableError

MANIFEST: Final = "asset.json"
LEVEL: Final = 9
_TIME: Final = (1980, 1, 1, 0, 0, 0)  # the first one that a zip can have
_UNIX: Final = 3
_FILE: Final = 0o100644
_PROGRAM: Final = 0o100755
_ANY_EXECUTE: Final = 0o111
_LEFT_OUT: Final = (
    ".*",
    "__pycache__",
    "*.py[co]",
    "*.egg-info",
    "*~",
    "node_modules",
    "venv",
)
_LEFT_OUT_AT_THE_TOP: Final = (
    "tests",
    "test",
    "test_*.py",
    "conftest.py",
    "build",
    "dist",
    "*.zip",
    "job.json",
)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A zip that the master would take."""

    data: bytes
    name: str
    version: str
    files: list[str]
    operations: list[str]

    @property
    def asset_id(self) -> str:
        """Under which the master stores it."""
        return hashlib.sha1(self.data, usedforsecurity=False).hexdigest()


def build_bundle(folder: Path) -> Bundle:
    """Zip a folder, and check the zip by the rules of the master.

    InvalidError if there is no asset.json in it or nothing that is an operation; UnprocessableError if it
    breaks a rule.
    """
    from sliceworks.operations.archive import check_zip
    from sliceworks.operations.bundle_outline import AssetPlace, outlines_of

    if not (folder / MANIFEST).is_file():
        message = f"{folder} is no bundle: it has no {MANIFEST}; `sliceworks new operation NAME` writes one"
        raise InvalidError(message)
    files = list(_files(folder))
    data = _zipped(folder, files)
    try:
        manifest = check_zip(data)
        place = AssetPlace("", manifest.name, manifest.version, folder)
        operations = [outline.name for outline in outlines_of(place) if outline.files]
    except UnprocessableError as error:
        message = f"{folder}: {error}"
        raise UnprocessableError(message) from error
    return Bundle(data, manifest.name, manifest.version, files, operations)


def _files(folder: Path) -> Iterator[str]:
    """The paths of all files that belong to the bundle, in the order of their names."""
    found: list[str] = []
    for parent, folders, names in os.walk(folder):
        at = Path(parent).relative_to(folder)
        folders[:] = [name for name in folders if not _is_left_out(at, name)]
        for name in (*folders, *names):
            _refuse_link(Path(parent) / name)
        found += [(at / name).as_posix() for name in names if not _is_left_out(at, name)]
    yield from sorted(found)


def _is_left_out(at: Path, name: str) -> bool:
    patterns = (*_LEFT_OUT, *_LEFT_OUT_AT_THE_TOP) if at == Path() else _LEFT_OUT
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        message = f"{path} is a symbolic link: a bundle has files only"
        raise InvalidError(message)


def _zipped(folder: Path, files: list[str]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as archive:
        for name in files:
            path = folder / name
            entry = zipfile.ZipInfo(name, _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = _UNIX
            entry.external_attr = (_PROGRAM if path.stat().st_mode & _ANY_EXECUTE else _FILE) << 16
            archive.writestr(entry, path.read_bytes(), compresslevel=LEVEL)
    return made.getvalue()
