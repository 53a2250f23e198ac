"""Byte ranges own whole lines: nothing is cut, nothing is there twice, wherever the cuts are."""

from __future__ import annotations

import io
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sliceworks.operations.builtin import byte_range
from sliceworks.operations.builtin.byte_range import owned_lines, read_lines, read_whole
from sliceworks.operations.builtin.decoding import decode_raw
from sliceworks.operations.builtin.file_pieces import Piece

CONTENT = st.lists(st.sampled_from([b"\n", b"\r\n", b"\r", b"a", b"bc", b"\xc3\xa9", b"\xff", b"\x0b"])).map(
    b"".join
)


@given(CONTENT, st.integers(1, 40))
@example(b"one\r\ntwo\r\nthree", 5)
@example(b"\n\n\n", 1)
@example(b"no line feed at all", 4)
@example(b"abc\ndef\n", 4)
def test_ranges_of_any_size_give_what_a_plain_read_gives(content: bytes, size: int) -> None:
    parts = [owned_lines(io.BytesIO(content), start, start + size) for start in range(0, len(content), size)]
    assert b"".join(data for _, data in parts) == content
    assert all(content[offset : offset + len(data)] == data for offset, data in parts)
    records = [record for _, data in parts for record in decode_raw(data).records]
    assert records == decode_raw(content).records


@given(CONTENT, st.lists(st.integers(0, 60)))
def test_cuts_may_be_anywhere(content: bytes, places: list[int]) -> None:
    cuts = sorted({0, len(content), *(place for place in places if place < len(content))})
    parts = [owned_lines(io.BytesIO(content), *cut)[1] for cut in pairwise(cuts)]
    assert b"".join(parts) == content


def test_a_range_inside_a_long_line_owns_nothing() -> None:
    assert owned_lines(io.BytesIO(b"x" * 100 + b"\nlast"), 10, 90)[1] == b""


def test_a_line_without_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byte_range, "MAX_LINE_BYTES", 100_000)
    with pytest.raises(RuntimeError, match="a line is longer than 100000 bytes"):
        owned_lines(io.BytesIO(b"x" * 300_000), 0, 10)


@pytest.fixture
def piece(tmp_path: Path) -> Piece:
    path = tmp_path / "file"
    path.write_bytes(b"one\ntwo\n")
    return Piece(path=str(path), start=0, end=8, size=8, modified_ns=path.stat().st_mtime_ns)


def test_a_file_as_it_was_is_read(piece: Piece) -> None:
    assert read_lines(piece) == (0, b"one\ntwo\n")
    assert read_whole(piece) == b"one\ntwo\n"


def test_what_was_appended_is_left_out(piece: Piece) -> None:
    with Path(piece["path"]).open("ab") as file:
        file.write(b"three\n")
    assert read_lines(piece) == (0, b"one\ntwo\n")
    with pytest.raises(RuntimeError, match="was changed"):
        read_whole(piece)


def test_a_file_that_is_gone_is_named(piece: Piece) -> None:
    Path(piece["path"]).unlink()
    with pytest.raises(RuntimeError, match="/file is gone since it was found: put it back"):
        read_lines(piece)


def test_a_file_that_was_changed_is_named(piece: Piece) -> None:
    os.utime(piece["path"], ns=(1, 1))
    with pytest.raises(RuntimeError, match=r"/file was changed since it was found \(8 bytes then, 8 now\)"):
        read_lines(piece)
    Path(piece["path"]).write_bytes(b"short")
    with pytest.raises(RuntimeError, match="8 bytes then, 5 now"):
        read_lines(piece)


def test_a_file_that_changes_while_it_is_read_is_named(piece: Piece, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(file: Any, start: int, end: int) -> tuple[int, bytes]:
        os.truncate(piece["path"], 1)
        return start, b""

    monkeypatch.setattr(byte_range, "owned_lines", read)
    with pytest.raises(RuntimeError, match="was changed since it was found"):
        byte_range.read_lines(piece)
