"""Zip files from strangers: what is in one, and the bytes of an entry, trusting nothing that it says.

The standard library's reader takes the whole directory into memory before anything can be refused, passes
over bytes before and after the archive, and believes the sizes it reads.  Here the directory is walked under
a limit, every byte of the file belongs to the archive, no two entries share bytes, and what an entry holds is
counted while it is read: more or less than it says is an error, and so is a wrong checksum.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from sliceworks.protocol.errors import UnprocessableError

NOT_A_ZIP: Final = "Failed to save asset. File type not recognized as zip."

_STORED: Final = 0
_DEFLATED: Final = 8
_UNREADABLE_FLAGS: Final = 0x1 | 0x40 | 0x2000  # encrypted in one of three ways
_UTF8_FLAG: Final = 0x800
_CHUNK_BYTES: Final = 256 * 1024
_MAX_COMMENT_BYTES: Final = 0xFFFF
_DIRECTORY_BYTES_PER_ENTRY: Final = 1_024
_ZIP64: Final = (0xFFFF, 0xFFFFFFFF)

_END: Final = struct.Struct("<4s4H2LH")
_END_MARK: Final = b"PK\x05\x06"
_ENTRY: Final = struct.Struct("<4s6H3L5H2L")
_ENTRY_MARK: Final = b"PK\x01\x02"
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_LOCAL_MARK: Final = b"PK\x03\x04"


class ArchiveError(UnprocessableError):
    """The archive is refused; the text says which entry, and why."""


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """One entry, as the directory at the end of the file has it."""

    name: str
    raw_name: bytes
    method: int
    checksum: int
    packed_bytes: int
    size: int
    offset: int
    mode: int  # as of a Unix file; 0: not said

    @property
    def is_directory(self) -> bool:
        """Whether it stands for a folder."""
        return self.name.endswith("/")


def list_entries(file: BinaryIO, *, max_entries: int) -> list[ZipEntry]:
    """All entries, in the order of the directory; ArchiveError if it is no sound zip, or has too many."""
    size = file.seek(0, os.SEEK_END)
    end_at, count, directory_bytes, directory_at = _find_end(file, size)
    if count > max_entries:
        raise _too_many(max_entries)
    if directory_at + directory_bytes != end_at:
        message = "the zip is damaged: there are bytes before or behind it that do not belong to it"
        raise ArchiveError(message)
    if directory_bytes > max_entries * _DIRECTORY_BYTES_PER_ENTRY:
        message = f"the zip's directory is too large: {directory_bytes} bytes"
        raise ArchiveError(message)
    file.seek(directory_at)
    entries = list(_walk(file.read(directory_bytes), max_entries))
    if len(entries) != count:
        message = f"the zip is damaged: it says that it has {count} entries, and has {len(entries)}"
        raise ArchiveError(message)
    _check_places(entries, directory_at)
    return entries


def read_entry(file: BinaryIO, entry: ZipEntry) -> Iterator[bytes]:
    """What an entry holds, in pieces; ArchiveError if that is not what its size and checksum say."""
    _seek_data(file, entry)
    size = checksum = 0
    for piece in _unpacked(file, entry):
        size += len(piece)
        if size > entry.size:
            message = f"{entry.name}: it holds more than the {entry.size} bytes that it says"
            raise ArchiveError(message)
        checksum = zlib.crc32(piece, checksum)
        yield piece
    if size != entry.size or checksum != entry.checksum:
        message = f"{entry.name}: the zip is damaged: size or checksum is wrong"
        raise ArchiveError(message)


def _find_end(file: BinaryIO, size: int) -> tuple[int, int, int, int]:
    """Where the end record is, and what it says: entries, bytes of the directory, and its place."""
    file.seek(0)
    if file.read(4) not in (_LOCAL_MARK, _END_MARK):
        raise ArchiveError(NOT_A_ZIP)
    tail_bytes = min(size, _END.size + _MAX_COMMENT_BYTES)
    file.seek(size - tail_bytes)
    tail = file.read(tail_bytes)
    place = len(tail)
    while (place := tail.rfind(_END_MARK, 0, place)) >= 0:
        record = tail[place : place + _END.size]
        if len(record) == _END.size and place + _END.size + _END.unpack(record)[7] == len(tail):
            return size - tail_bytes + place, *_end_of(_END.unpack(record))
    message = "the zip is damaged: it has no end, as if it was cut off"
    raise ArchiveError(message)


def _end_of(fields: tuple[int, ...]) -> tuple[int, int, int]:
    _, disk, first_disk, here, count, directory_bytes, directory_at, _ = fields
    if count in _ZIP64 or directory_bytes in _ZIP64 or directory_at in _ZIP64:
        message = "the zip is of the kind for more than 65,534 entries or 4 GB (zip64): make it smaller"
        raise ArchiveError(message)
    if disk or first_disk or here != count:
        message = "the zip is one part of several: send it as one file"
        raise ArchiveError(message)
    return count, directory_bytes, directory_at


def _walk(directory: bytes, max_entries: int) -> Iterator[ZipEntry]:
    place = number = 0
    while place < len(directory):
        number += 1
        if number > max_entries:
            raise _too_many(max_entries)
        entry, place = _entry_at(directory, place)
        yield entry


def _entry_at(directory: bytes, place: int) -> tuple[ZipEntry, int]:
    header = directory[place : place + _ENTRY.size]
    if len(header) < _ENTRY.size or not header.startswith(_ENTRY_MARK):
        message = "the zip is damaged: its directory cannot be read"
        raise ArchiveError(message)
    fields = _ENTRY.unpack(header)
    flags, method, checksum, packed, size = fields[3], fields[4], fields[7], fields[8], fields[9]
    name_bytes, extra_bytes, comment_bytes, attributes, offset = *fields[10:13], fields[15], fields[16]
    name_at = place + _ENTRY.size
    raw_name = directory[name_at : name_at + name_bytes]
    name = _decoded(raw_name, flags)
    if flags & _UNREADABLE_FLAGS:
        message = f"{name}: it is encrypted"
        raise ArchiveError(message)
    if method not in (_STORED, _DEFLATED):
        message = f"{name}: compression method {method} is not supported, only deflate and none"
        raise ArchiveError(message)
    entry = ZipEntry(name, raw_name, method, checksum, packed, size, offset, attributes >> 16)
    return entry, name_at + name_bytes + extra_bytes + comment_bytes


def _decoded(name: bytes, flags: int) -> str:
    try:
        return name.decode("utf-8" if flags & _UTF8_FLAG else "cp437")
    except UnicodeDecodeError as error:
        message = f"an entry has a name that is not UTF-8: {name!r}"
        raise ArchiveError(message) from error


def _check_places(entries: list[ZipEntry], directory_at: int) -> None:
    """Entries follow each other from the first byte on, and none reaches into the next."""
    if not entries:
        return
    ordered = sorted(entries, key=lambda entry: entry.offset)
    ends = [entry.offset for entry in ordered[1:]] + [directory_at]
    for entry, end in zip(ordered, ends, strict=True):
        if entry.offset + _LOCAL.size + len(entry.raw_name) + entry.packed_bytes > end:
            message = f"{entry.name}: the zip is damaged: the entry overlaps another one"
            raise ArchiveError(message)
    if ordered[0].offset != 0:
        message = "the zip is damaged: there are bytes before it that do not belong to it"
        raise ArchiveError(message)


def _seek_data(file: BinaryIO, entry: ZipEntry) -> None:
    file.seek(entry.offset)
    header = file.read(_LOCAL.size)
    if len(header) < _LOCAL.size or not header.startswith(_LOCAL_MARK):
        message = f"{entry.name}: the zip is damaged: the entry is not where the directory says"
        raise ArchiveError(message)
    fields = _LOCAL.unpack(header)
    name_bytes, extra_bytes = fields[9], fields[10]
    if file.read(name_bytes) != entry.raw_name or fields[3] != entry.method:
        message = f"{entry.name}: the zip is damaged: the entry has another name than the directory says"
        raise ArchiveError(message)
    file.seek(extra_bytes, io.SEEK_CUR)


def _unpacked(file: BinaryIO, entry: ZipEntry) -> Iterator[bytes]:
    pieces = _packed(file, entry)
    return pieces if entry.method == _STORED else _inflated(pieces, entry)


def _packed(file: BinaryIO, entry: ZipEntry) -> Iterator[bytes]:
    left = entry.packed_bytes
    while left and (piece := file.read(min(left, _CHUNK_BYTES))):
        left -= len(piece)
        yield piece


def _inflated(pieces: Iterator[bytes], entry: ZipEntry) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for piece in pieces:
            rest = piece
            while rest:
                yield inflater.decompress(rest, _CHUNK_BYTES)
                rest = inflater.unconsumed_tail
        yield inflater.flush()
    except zlib.error as error:
        message = f"{entry.name}: the zip is damaged: {error}"
        raise ArchiveError(message) from error
    if not inflater.eof or inflater.unused_data:
        message = f"{entry.name}: the zip is damaged: the entry is cut off, or goes on behind its end"
        raise ArchiveError(message)


def _too_many(max_entries: int) -> ArchiveError:
    return ArchiveError(f"the zip has too many entries: more than {max_entries}")
