"""Which entries a bundle may have: names that are safe on every file system, plain files and folders only.

Rules on names hold for how names compare on the strictest file system: without regard to case and to how
accents are encoded, so that a bundle unpacks to the same files everywhere.
"""

from __future__ import annotations

import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from sliceworks.operations.zip_listing import ArchiveError, ZipEntry

MEBIBYTE: Final = 1024 * 1024
WHEEL: Final = ".whl"
WHEELS_FOLDER: Final = ".wheels"
"""Where the wheels of a bundle are unpacked to; no entry may be named so."""

_MAX_SHOWN: Final = 60
_RESERVED: Final = (WHEELS_FOLDER, ".sliceworks")
_DRIVE: Final = re.compile(r"[A-Za-z]:")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_ARCHIVE_NAME: Final = re.compile(
    r"\.(zip|jar|war|egg|tar|tgz|tbz2?|txz|tzst|7z|rar|cab|ar|deb|rpm|cpio|iso|tar\.\w{1,4})$"
)
_ARCHIVE_BYTES: Final = (b"PK\x03\x04", b"PK\x05\x06", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07")
_TAR_MARK: Final = b"ustar"
_TAR_MARK_AT: Final = 257
_ZIPPED_FORMATS: Final = frozenset(
    {WHEEL, ".npz", ".pt", ".pth", ".keras", ".docx", ".xlsx", ".pptx", ".odt", ".ods"}
)


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """How large a bundle may be."""

    zip_bytes: int = 100 * MEBIBYTE
    entries: int = 10_000  # of the zip, and of each wheel in it
    entry_bytes: int = 256 * MEBIBYTE
    total_bytes: int = 512 * MEBIBYTE  # unpacked, with its wheels
    ratio: int = 200  # of unpacked to packed bytes, above the next
    unsuspicious_bytes: int = 10 * MEBIBYTE
    path_bytes: int = 512
    part_bytes: int = 255


LIMITS: Final = ArchiveLimits()


def check_entries(entries: Iterable[ZipEntry], limits: ArchiveLimits) -> None:
    """Raise ArchiveError for the first entry that may not be."""
    seen: dict[str, str] = {}  # of files and listed folders, as they compare
    parents: dict[str, str] = {}
    total_bytes = packed_bytes = 0
    for entry in entries:
        check_entry(entry, limits)
        path = entry.name.rstrip("/")
        if seen.setdefault(comparable(path), entry.name) is not entry.name:
            message = f"{entry.name}: it is there twice (also as {seen[comparable(path)]})"
            raise ArchiveError(message)
        for parent in _parents_of(path):
            if parents.setdefault(comparable(parent), parent) != parent:
                message = f"{entry.name}: its folder is also written {parents[comparable(parent)]}"
                raise ArchiveError(message)
        total_bytes += entry.size
        packed_bytes += entry.packed_bytes
        if total_bytes > limits.total_bytes:
            message = f"unpacked it is larger than {limits.total_bytes} bytes"
            raise ArchiveError(message)
    _check_ratio("all entries together", total_bytes, packed_bytes, limits=limits)
    for key in parents.keys() & seen.keys():
        if not seen[key].endswith("/"):
            message = f"{seen[key]}: it is a file and a folder at once"
            raise ArchiveError(message)


def check_entry(entry: ZipEntry, limits: ArchiveLimits) -> None:
    """Raise ArchiveError for a name, a kind or a size that may not be."""
    if trouble := _name_trouble(entry.name, limits):
        message = f"{entry.name[:_MAX_SHOWN]!r}: {trouble}"
        raise ArchiveError(message)
    kind = stat.S_IFMT(entry.mode)
    if kind not in (0, stat.S_IFDIR if entry.is_directory else stat.S_IFREG):
        message = (
            f"{entry.name}: it is a {_KINDS.get(kind, 'special file')}, only files and folders are allowed"
        )
        raise ArchiveError(message)
    if entry.is_directory and entry.size:
        message = f"{entry.name}: a folder cannot hold bytes"
        raise ArchiveError(message)
    if entry.size > limits.entry_bytes:
        message = f"{entry.name}: it is larger than {limits.entry_bytes} bytes"
        raise ArchiveError(message)
    if _ARCHIVE_NAME.search(entry.name.lower()):
        message = f"{entry.name}: an archive in the archive; only wheels (.whl) may be in a bundle"
        raise ArchiveError(message)
    _check_ratio(entry.name, entry.size, entry.packed_bytes, limits=limits)


def check_first_bytes(entry: ZipEntry, head: bytes) -> None:
    """Raise ArchiveError for an archive under another name; files that are zips by design may be."""
    if PurePosixPath(entry.name.lower()).suffix in _ZIPPED_FORMATS:
        return
    is_tar = head[_TAR_MARK_AT : _TAR_MARK_AT + len(_TAR_MARK)] == _TAR_MARK
    if is_tar or head.startswith(_ARCHIVE_BYTES):
        message = f"{entry.name}: an archive in the archive; only wheels (.whl) may be in a bundle"
        raise ArchiveError(message)


def comparable(path: str) -> str:
    """Equal for paths that are one file somewhere."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _name_trouble(name: str, limits: ArchiveLimits) -> str:
    if not name or name.startswith("/") or _DRIVE.match(name):
        return "the name must be a path below the bundle's folder"
    if "\\" in name or _CONTROL.search(name):
        return "the name has a backslash or a control character"
    parts = name.removesuffix("/").split("/")
    if ".." in parts:
        return "the name leads out of the bundle (..)"
    if "" in parts or "." in parts:
        return "the name has an empty part, or one that is a dot"
    if parts[0].startswith(_RESERVED) or (len(parts) > 1 and parts[1].startswith(_RESERVED)):
        return "the name is reserved"
    if len(name.encode()) > limits.path_bytes or any(
        len(part.encode()) > limits.part_bytes for part in parts
    ):
        return f"the name is too long: at most {limits.path_bytes} bytes, {limits.part_bytes} for each part"
    return ""


def _parents_of(path: str) -> Iterator[str]:
    return (str(parent) for parent in PurePosixPath(path).parents if parent.name)


def _check_ratio(name: str, size: int, packed_bytes: int, *, limits: ArchiveLimits) -> None:
    if size > limits.unsuspicious_bytes and size > packed_bytes * limits.ratio:
        message = f"{name}: {packed_bytes} bytes that unpack to {size} are taken for a zip bomb"
        raise ArchiveError(message)


_KINDS: Final = {
    stat.S_IFLNK: "symbolic link",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
    stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFDIR: "folder with the name of a file",
    stat.S_IFREG: "file with the name of a folder",
}
