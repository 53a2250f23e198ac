"""The lines that a byte range of a file owns: those that begin in it.

A line ends at a line feed and nowhere else.  So every line belongs to exactly one of the ranges a file is
cut into, whole, wherever the cuts are: the range in which its first byte lies.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from sliceworks.operations.builtin.file_pieces import Piece

MAX_LINE_BYTES = 256 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024


def read_whole(piece: Piece) -> bytes:
    """All bytes of a file; RuntimeError if it is gone, or not as it was when it was found."""
    with _unchanged(piece, can_grow=False) as file:
        return file.read()


def read_lines(piece: Piece) -> tuple[int, bytes]:
    """The bytes of the owned lines, and the offset of the first; RuntimeError if the file is gone or changed.

    A file to which something was appended is read as far as it was found, to the end of the last line.
    """
    with _unchanged(piece, can_grow=True) as file:
        return owned_lines(file, piece["start"], piece["end"])


def first_line(piece: Piece) -> bytes:
    """The first line of the file that a piece is from."""
    with _unchanged(piece, can_grow=True) as file:
        return owned_lines(file, 0, 1)[1]


def owned_lines(file: BinaryIO, start: int, end: int) -> tuple[int, bytes]:
    """The bytes of all lines that begin in `start <= offset < end`, and where they begin.

    The last line feed is there if the file has it.
    """
    begin = _line_start(file, start, limit=end)
    if begin >= end:
        return end, b""
    longest = end + MAX_LINE_BYTES
    stop = _line_start(file, end, limit=longest)
    if stop >= longest:
        message = f"a line is longer than {MAX_LINE_BYTES} bytes: is this a text file?"
        raise RuntimeError(message)
    file.seek(begin)
    return begin, file.read(stop - begin)


def _line_start(file: BinaryIO, start: int, *, limit: int) -> int:
    """Where the first line that begins at `start` or after it begins; `limit`, or the end, if none does."""
    if start == 0:
        return 0
    place = start - 1  # a line begins at `start` if the byte before it is a line feed
    file.seek(place)
    while place < limit and (chunk := file.read(min(_CHUNK_BYTES, limit - place))):
        feed = chunk.find(b"\n")
        if feed >= 0:
            return place + feed + 1
        place += len(chunk)
    return place


@contextmanager
def _unchanged(piece: Piece, *, can_grow: bool) -> Iterator[BinaryIO]:
    """The file, which must be as it was found, before and after it is read."""
    path = piece["path"]
    try:
        file = Path(path).open("rb")  # noqa: SIM115 - closed below
    except FileNotFoundError as error:
        message = f"{path} is gone since it was found: put it back, or submit the job again"
        raise RuntimeError(message) from error
    with file:
        _check(file, piece, can_grow=can_grow)
        yield file
        _check(file, piece, can_grow=can_grow)


def _check(file: BinaryIO, piece: Piece, *, can_grow: bool) -> None:
    status = os.fstat(file.fileno())
    is_same = status.st_size == piece["size"] and status.st_mtime_ns == piece["modified_ns"]
    if is_same or (can_grow and status.st_size > piece["size"]):
        return
    sizes = f"{piece['size']} bytes then, {status.st_size} now"
    message = f"{piece['path']} was changed since it was found ({sizes}): submit the job again"
    raise RuntimeError(message)
