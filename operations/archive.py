"""Bundles as files: checking a zip, and unpacking it into place.

A zip comes from a stranger, so everything is checked before a byte of it is written, and counted again while
it is (`zip_listing.py`, `archive_rules.py`).  Unpacking happens aside: a folder appears under its name whole,
and on disk, or not at all, so a bundle that is there can be used whoever was killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final

from sliceworks.operations.archive_rules import (
    LIMITS,
    WHEEL,
    ArchiveLimits,
    check_entries,
    check_first_bytes,
)
from sliceworks.operations.manifest import MANIFEST, MAX_MANIFEST_BYTES, AssetManifest, read_manifest
from sliceworks.operations.zip_listing import NOT_A_ZIP, ArchiveError, ZipEntry, list_entries, read_entry

__all__ = [
    "LIMITS",
    "ArchiveError",
    "ArchiveLimits",
    "AssetManifest",
    "check_zip",
    "extract",
    "sync",
    "unpack",
    "unpack_into",
]

_FOREIGN: Final = "__MACOSX/"
"""What macOS puts beside the content; it is not unpacked."""

_MANY_FILES: Final = 100
_libc: Final = ctypes.CDLL(None, use_errno=True)
_ANY_EXECUTE: Final = 0o111


def check_zip(source: Path | bytes, limits: ArchiveLimits = LIMITS) -> AssetManifest:
    """Read the whole bundle, writing nothing; ArchiveError if it breaks a rule."""
    with _opened(source) as file:
        entries = _checked_entries(file, limits)
        manifest = _manifest(file, entries)
        wheel_limits = limits
        for entry in entries:
            if entry.name.lower().endswith(WHEEL):
                wheel_limits = _check_wheel(file, entry, source, limits=wheel_limits)
            else:
                _check_content(file, entry)
    return manifest


def unpack(zip_path: Path, target: Path, limits: ArchiveLimits = LIMITS) -> None:
    """Make `target` of a bundle, its wheels unpacked too; nothing happens if it is there.

    Raises ArchiveError if the bundle breaks a rule; then, and after any other error, nothing is left behind.
    A crash leaves a folder beside `target` whose name begins with a dot.
    """
    if target.exists():
        return
    aside = target.parent / f".{target.name}.{secrets.token_hex(4)}"
    aside.mkdir()
    try:
        unpack_into(zip_path, aside, limits)
        _make_durable(aside)
        _move(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def unpack_into(zip_path: Path, directory: Path, limits: ArchiveLimits = LIMITS) -> None:
    """Unpack a bundle, its wheels too, into an empty folder; ArchiveError.  Nothing is made durable."""
    from sliceworks.operations.wheels import unpack_wheels  # noqa: PLC0415 - it unpacks with this module

    _extract_bundle(zip_path, directory, limits)
    unpack_wheels(directory, limits)


def extract(zip_path: Path, directory: Path, limits: ArchiveLimits = LIMITS) -> None:
    """Unpack any zip, such as a wheel, by the same rules into an empty folder; ArchiveError."""
    with _opened(zip_path) as file:
        for entry in _checked_entries(file, limits):
            _write_entry(file, entry, directory / entry.name)


def root_of(entries: Sequence[ZipEntry]) -> str:
    """What stands before every name: "", or the only folder at the top if it has asset.json; ArchiveError."""
    names = {entry.name for entry in entries if not entry.name.startswith(_FOREIGN)}
    if MANIFEST in names:
        return ""
    tops = {name.partition("/")[0] for name in names}
    if len(tops) == 1 and f"{(top := tops.pop())}/{MANIFEST}" in names:
        return f"{top}/"
    message = f"{MANIFEST} was not found in root directory of asset bundle"
    raise ArchiveError(message)


def _extract_bundle(zip_path: Path, directory: Path, limits: ArchiveLimits) -> None:
    with _opened(zip_path) as file:
        entries = _checked_entries(file, limits)
        root = root_of(entries)
        for entry in entries:
            name = entry.name.removeprefix(root)
            if name and not entry.name.startswith(_FOREIGN):
                _write_entry(file, entry, directory / name)


def _write_entry(file: BinaryIO, entry: ZipEntry, path: Path) -> None:
    if entry.is_directory:
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = 0o755 if entry.mode & _ANY_EXECUTE else 0o644
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:  # noqa: PTH123 - a descriptor
        for piece in _content(file, entry):
            out.write(piece)


@contextlib.contextmanager
def _opened(source: Path | bytes) -> Iterator[BinaryIO]:
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        yield file


def _checked_entries(file: BinaryIO, limits: ArchiveLimits) -> list[ZipEntry]:
    size = file.seek(0, os.SEEK_END)
    if not size:
        raise ArchiveError(NOT_A_ZIP)
    if size > limits.zip_bytes:
        message = f"the zip is larger than {limits.zip_bytes} bytes"
        raise ArchiveError(message)
    entries = list_entries(file, max_entries=limits.entries)
    check_entries(entries, limits)
    return entries


def _manifest(file: BinaryIO, entries: Sequence[ZipEntry]) -> AssetManifest:
    name = root_of(entries) + MANIFEST
    entry = next(entry for entry in entries if entry.name == name)
    if entry.size > MAX_MANIFEST_BYTES:
        message = f"{MANIFEST} is larger than {MAX_MANIFEST_BYTES} bytes"
        raise ArchiveError(message)
    return read_manifest(b"".join(read_entry(file, entry)))


def _check_content(file: BinaryIO, entry: ZipEntry) -> None:
    for _ in _content(file, entry):
        pass


def _content(file: BinaryIO, entry: ZipEntry) -> Iterator[bytes]:
    """The bytes of an entry, which are no archive themselves."""
    is_first = True
    for piece in read_entry(file, entry):
        if is_first and piece:
            check_first_bytes(entry, piece)
            is_first = False
        yield piece


def _check_wheel(
    file: BinaryIO, entry: ZipEntry, source: Path | bytes, *, limits: ArchiveLimits
) -> ArchiveLimits:
    """Look into a wheel by the same rules; what may be in the next one after that."""
    beside = source.parent if isinstance(source, Path) else None
    with tempfile.TemporaryFile(dir=beside) as wheel:
        for piece in read_entry(file, entry):
            wheel.write(piece)
        try:
            inner = _checked_entries(wheel, limits)
            for each in inner:
                _check_content(wheel, each)
        except ArchiveError as error:
            message = f"{entry.name}: {error}"
            raise ArchiveError(message) from error
    left = limits.total_bytes - sum(each.size for each in inner)
    return replace(limits, total_bytes=left)


def _make_durable(directory: Path) -> None:
    """Everything below is on disk when this returns."""
    paths = [directory, *directory.rglob("*")]
    if len(paths) > _MANY_FILES:
        return _sync_file_system(directory)
    for path in reversed(paths):
        sync(path)
    return None


def _sync_file_system(directory: Path) -> None:
    """What is written to the file system is on disk when this returns: one wait, not one for each file."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        if _libc.syncfs(descriptor) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
    finally:
        os.close(descriptor)


def sync(path: Path) -> None:
    """What the file holds, or which names the folder has, is on disk when this returns."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _move(aside: Path, target: Path) -> None:
    """Give it its name; somebody else may have made the same meanwhile."""
    try:
        aside.rename(target)
    except OSError:
        if not target.exists():
            raise
    sync(target.parent)
