"""Compressed files, as the file operations know them: gzip and zstd, told by the end of a file's name.

Output is compressed in whole frames, one for each slice, and frames may follow each other in a file: both
formats allow that, and all of them are read back.
"""

from __future__ import annotations

import gzip
import zlib
from enum import StrEnum
from pathlib import PurePath

import zstandard


class Compression(StrEnum):
    """How the bytes of a file are compressed."""

    AUTO = "auto"
    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"


SUFFIXES = {
    ".gz": Compression.GZIP,
    ".gzip": Compression.GZIP,
    ".zst": Compression.ZSTD,
    ".zstd": Compression.ZSTD,
}
_SUFFIX_OF = {Compression.GZIP: ".gz", Compression.ZSTD: ".zst"}


def compression_of(name: str, wanted: Compression) -> Compression:
    """The compression of a file: what is wanted, with `auto` what the end of its name says."""
    if wanted is not Compression.AUTO:
        return wanted
    return SUFFIXES.get(PurePath(name).suffix.lower(), Compression.NONE)


def with_suffix(name: str, compression: Compression) -> str:
    """The name, ending as readers expect of a file compressed so."""
    suffix = _SUFFIX_OF.get(compression, "")
    return name if compression_of(name, Compression.AUTO) is compression else name + suffix


def compress(data: bytes, compression: Compression) -> bytes:
    """One whole frame; the same bytes each time."""
    if compression is Compression.GZIP:
        return gzip.compress(data, compresslevel=6, mtime=0)
    if compression is Compression.ZSTD:
        return zstandard.ZstdCompressor(level=3).compress(data)
    return data


def decompress(data: bytes, compression: Compression) -> bytes:
    """All frames, joined; ValueError for bytes that are not compressed so, or that end too early."""
    try:
        if compression is Compression.GZIP:
            return gzip.decompress(data)
        if compression is Compression.ZSTD:
            return _decompress_zstd(data)
    except (OSError, EOFError, ValueError, zlib.error, zstandard.ZstdError) as error:
        message = f"is no whole {compression} data: {error}"
        raise ValueError(message) from error
    return data


def _decompress_zstd(data: bytes) -> bytes:
    parts, rest = [], data
    while rest:
        frame = zstandard.ZstdDecompressor().decompressobj()
        parts.append(frame.decompress(rest))
        if not frame.eof:
            message = "the last frame is cut off"
            raise ValueError(message)
        rest = frame.unused_data
    return b"".join(parts)
