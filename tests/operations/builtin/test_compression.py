"""Compressed bytes, and the names of compressed files."""

from __future__ import annotations

import pytest

from sliceworks.operations.builtin.compression import (
    Compression,
    compress,
    compression_of,
    decompress,
    with_suffix,
)

BOTH = [Compression.GZIP, Compression.ZSTD]


def test_the_end_of_a_name_says_how_it_is_compressed() -> None:
    names = ["a.gz", "a.csv.GZ", "b.zst", "c.zstd", "d.txt", "gz"]
    assert [compression_of(name, Compression.AUTO).value for name in names] == [
        "gzip",
        "gzip",
        "zstd",
        "zstd",
        "none",
        "none",
    ]
    assert compression_of("a.gz", Compression.NONE) is Compression.NONE


def test_names_get_the_end_that_readers_expect() -> None:
    assert with_suffix("a.csv", Compression.GZIP) == "a.csv.gz"
    assert with_suffix("a.csv.gz", Compression.GZIP) == "a.csv.gz"
    assert with_suffix("a.csv", Compression.NONE) == "a.csv"


@pytest.mark.parametrize("compression", BOTH)
def test_frames_may_follow_each_other(compression: Compression) -> None:
    frames = (
        compress(b"one\n", compression) + compress(b"", compression) + compress(b"two\n" * 1000, compression)
    )
    assert decompress(frames, compression) == b"one\n" + b"two\n" * 1000
    assert compress(b"one", compression) == compress(b"one", compression)
    assert decompress(b"", compression) == b""


@pytest.mark.parametrize("compression", BOTH)
def test_what_is_cut_off_or_something_else_is_refused(compression: Compression) -> None:
    whole = compress(b"some text" * 100, compression)
    for broken in (whole[:-5], whole + whole[:-5], b"plain text", whole[:10] + b"x" * 30):
        with pytest.raises(ValueError, match=f"is no whole {compression} data"):
            decompress(broken, compression)


def test_nothing_is_done_to_plain_files() -> None:
    assert decompress(compress(b"x", Compression.NONE), Compression.NONE) == b"x"
