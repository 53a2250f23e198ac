"""The output of the last slice in a file, noted on the file itself: an extended attribute.

Before a slice's output is written, the note says from where to where it will reach, and its checksum.  File
and note reach the disk by one and the same sync, in whatever order: a note whose checksum does not fit (yet)
says that the file is whole up to where that slice begins; one that fits, that it is whole up to its end; and
an older note fits, and ends where the newer one begins.  So a file needs one sync for each slice, where a
note in a file of its own needs two.

Not every file system has such attributes; `note` says whether this one has.
"""

from __future__ import annotations

import errno
import os
import struct
import zlib
from typing import Final

_NAME: Final = b"user.sliceworks"
_NOTE: Final = struct.Struct("<QQI")  # begin, end, checksum; with the name it fits into the inode itself
_CHUNK_BYTES: Final = 1024 * 1024
_UNSUPPORTED: Final = frozenset({errno.ENOTSUP, errno.EPERM, errno.ENOSYS})


def note(descriptor: int, start: int, data: bytes) -> None:
    """Say that `data` is about to be written at `start`; OSError if that cannot be noted."""
    os.setxattr(descriptor, _NAME, _NOTE.pack(start, start + len(data), zlib.crc32(data)))


def can_note(descriptor: int) -> bool:
    """Whether the file system takes notes; if so, one is made for an empty file."""
    try:
        note(descriptor, 0, b"")
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return False
        raise
    return True


def remove_note(descriptor: int) -> None:
    """The file needs it no more; that it cannot be removed does no harm."""
    try:
        os.removexattr(descriptor, _NAME)
    except OSError:
        return


def whole_length(descriptor: int) -> int | None:
    """How far the file is whole, as its note says; None if it has none."""
    try:
        found = os.getxattr(descriptor, _NAME)
    except OSError as error:
        if error.errno in _UNSUPPORTED | {errno.ENODATA}:
            return None
        raise
    if len(found) != _NOTE.size:
        return None  # somebody else's
    start, end, checksum = _NOTE.unpack(found)
    whole: int = end if _checksum(descriptor, start, end) == checksum else start
    return whole


def _checksum(descriptor: int, start: int, end: int) -> int | None:
    """Of the bytes from `start` to `end`; None if they are not all there."""
    checksum = 0
    while start < end:
        chunk = os.pread(descriptor, min(_CHUNK_BYTES, end - start), start)
        if not chunk:
            return None
        checksum = zlib.crc32(chunk, checksum)
        start += len(chunk)
    return checksum
