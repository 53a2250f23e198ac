"""The requests of a file reader: files cut into pieces, and pieces packed into slices.

A request is `{"files": [{"path", "start", "end", "size", "modified_ns"}, ...]}`.  A piece that can be split
owns the lines that begin in `start <= offset < end`; one that cannot is a whole file.  `size` and
`modified_ns` are those of the file when it was found: a fetcher that finds them changed says so.

Cutting and packing look at nothing but what comes next, so the last request alone says where to go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypedDict

from sliceworks.operations.builtin.file_scan import FoundFile, order_key

MAX_FILES_PER_SLICE = 2_000
MAX_PATH_CHARS_PER_SLICE = 100_000


class Piece(TypedDict):
    """A part of a file, or all of it."""

    path: str
    start: int
    end: int
    size: int
    modified_ns: int


def cut(
    files: Iterable[FoundFile], *, size: int, can_split: Callable[[str], bool], last: Piece | None
) -> Iterator[Piece]:
    """The pieces of all files, in order, that come after `last`.

    They have at most `size` bytes, unless a file cannot be split.  It does not matter if the file of `last`
    is gone, or was cut in another way.  An empty file has no pieces.
    """
    last_key = order_key(last["path"]) if last else ()
    for file in files:
        key = order_key(file.path)
        is_splittable = can_split(file.path)
        if key < last_key or (key == last_key and not is_splittable):
            continue
        begin = last["end"] if last and key == last_key else 0
        step = size if is_splittable else max(file.size, 1)
        for start in range(begin, file.size, step):
            end = min(start + step, file.size)
            yield Piece(path=file.path, start=start, end=end, size=file.size, modified_ns=file.modified_ns)


def pack(pieces: Iterable[Piece], *, size: int) -> Iterator[dict[str, Any]]:
    """Requests: as many pieces, in order, as fit into `size` bytes; at least one."""
    packed: list[Piece] = []
    total = path_chars = 0
    for piece in pieces:
        length = piece["end"] - piece["start"]
        path_chars += len(piece["path"])
        is_full = len(packed) >= MAX_FILES_PER_SLICE or path_chars > MAX_PATH_CHARS_PER_SLICE
        if packed and (total + length > size or is_full):
            yield {"files": packed}
            packed, total, path_chars = [], 0, len(piece["path"])
        packed.append(piece)
        total += length
    if packed:
        yield {"files": packed}
