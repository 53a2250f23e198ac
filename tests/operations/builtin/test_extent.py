"""The note on an output file: wherever a crash leaves file and note, only whole slices stay."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sliceworks.operations.builtin import extent

SLICES = st.lists(st.binary(max_size=20), min_size=1, max_size=5)


@pytest.fixture
def descriptor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    opened = os.open(tmp_path_factory.mktemp("extent") / "file", os.O_RDWR | os.O_CREAT)
    if not extent.can_note(opened):
        pytest.skip("no extended attributes here")
    yield opened
    os.close(opened)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """One file for all examples of a property."""
    opened = os.open(tmp_path_factory.mktemp("extent") / "file", os.O_RDWR | os.O_CREAT)
    if not extent.can_note(opened):
        pytest.skip("no extended attributes here")
    yield opened
    os.close(opened)


@given(slices=SLICES, arrived=st.integers(0, 20), noted=st.booleans(), zeros=st.booleans())
def test_a_crash_leaves_whole_slices(
    file: int, slices: list[bytes], arrived: int, noted: bool, zeros: bool
) -> None:
    """All slices but the last are on disk; of the last, some bytes are, and perhaps the note."""
    os.ftruncate(file, 0)
    *done, last = slices
    before = b"".join(done)
    os.pwrite(file, before, 0)
    if done:
        extent.note(file, len(before) - len(done[-1]), done[-1])
    else:
        extent.note(file, 0, b"")
    if noted:
        extent.note(file, len(before), last)
    os.pwrite(file, last[:arrived], len(before))
    if zeros:  # the file has its full length, but the end of it never arrived
        os.ftruncate(file, len(before) + len(last))
    length = extent.whole_length(file)
    is_there = os.pread(file, 1000, len(before)) == last
    assert length == len(before) + (len(last) if noted and is_there else 0)


def test_a_note_can_be_removed(descriptor: int) -> None:
    extent.note(descriptor, 0, b"text")
    extent.remove_note(descriptor)
    extent.remove_note(descriptor)
    assert extent.whole_length(descriptor) is None
    os.setxattr(descriptor, "user.sliceworks", b"something else")
    assert extent.whole_length(descriptor) is None


def test_a_file_system_may_have_no_attributes(descriptor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(number: int) -> None:
        def call(*_: object) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "setxattr", call)
        monkeypatch.setattr(os, "getxattr", call)

    refuse(errno.ENOTSUP)
    assert not extent.can_note(descriptor)
    assert extent.whole_length(descriptor) is None
    refuse(errno.EIO)
    with pytest.raises(OSError, match="Input/output"):
        extent.can_note(descriptor)
    with pytest.raises(OSError, match="Input/output"):
        extent.whole_length(descriptor)
