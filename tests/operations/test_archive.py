"""Bundles from strangers: what is refused, and that nothing is left of it; what is unpacked, and how."""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sliceworks.operations.archive import ArchiveError, ArchiveLimits, check_zip, extract, unpack
from sliceworks.operations.archive_rules import comparable
from tests.zips import (
    HOSTILE,
    OPERATION,
    asset_json,
    bundle,
    many_entries,
    operation_bundle,
    with_mode,
    zipped,
)

ARCHIVE_TROUBLE = {
    what: make
    for what, make in HOSTILE.items()
    if what not in ("for a newer Teraslice", "for another Python")  # the zips themselves are sound
}


@pytest.mark.parametrize("make", ARCHIVE_TROUBLE.values(), ids=ARCHIVE_TROUBLE)
def test_a_hostile_zip_is_refused_and_nothing_is_left(make: Callable[[], bytes], tmp_path: Path) -> None:
    content = make()
    with pytest.raises(ArchiveError):
        check_zip(content)
    path = tmp_path / "upload.zip"
    path.write_bytes(content)
    with pytest.raises(ArchiveError):
        check_zip(path)
    try:
        unpack(path, tmp_path / "target")
    except ArchiveError:
        assert list(tmp_path.iterdir()) == [path]


def test_what_is_said_of_itself_is_read() -> None:
    manifest = check_zip(bundle(version=" v1.2.3-beta.1+build ", description="d", python_version=3, more=[1]))
    assert (manifest.name, manifest.version) == ("sample", "1.2.3-beta.1")
    assert (manifest.description, manifest.python_version, manifest.arch) == ("d", "3", "")
    assert manifest.document["more"] == [1]


def test_a_single_folder_at_the_top_is_the_root(tmp_path: Path) -> None:
    path = tmp_path / "upload.zip"
    files: dict[str, bytes | str] = {
        "top/asset.json": asset_json(),
        "top/shout.py": OPERATION,
        "__MACOSX/._top": "x",
    }
    path.write_bytes(zipped(files))
    assert check_zip(path).name == "sample"
    unpack(path, tmp_path / "target")
    assert sorted(child.name for child in (tmp_path / "target").iterdir()) == ["asset.json", "shout.py"]


def test_unpacking_is_done_once_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "upload.zip"
    path.write_bytes(with_mode("run.sh", 0o100755, b"#!/bin/sh"))
    target = tmp_path / "target"
    unpack(path, target)
    assert (target / "run.sh").stat().st_mode & 0o777 == 0o755
    assert (target / "asset.json").stat().st_mode & 0o777 == 0o644
    path.unlink()
    unpack(path, target)  # it is there
    assert [child.name for child in tmp_path.iterdir()] == ["target"]


def test_many_files_are_unpacked_as_well(tmp_path: Path) -> None:
    path = tmp_path / "upload.zip"
    path.write_bytes(many_entries(500))
    unpack(path, tmp_path / "target")
    assert len(list((tmp_path / "target").iterdir())) == 501


def test_folders_and_empty_files_and_stored_ones(tmp_path: Path) -> None:
    path = tmp_path / "upload.zip"
    files: dict[str, bytes | str] = {
        "asset.json": asset_json(),
        "empty/": b"",
        "deep/er/none": b"",
        "data": bytes(range(256)) * 5_000,
    }
    path.write_bytes(zipped(files, method=zipfile.ZIP_STORED))
    unpack(path, tmp_path / "target")
    assert (tmp_path / "target/empty").is_dir()
    assert (tmp_path / "target/deep/er/none").read_bytes() == b""
    assert (tmp_path / "target/data").read_bytes() == files["data"]


def test_a_streamed_zip_is_read() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise OSError

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("asset.json", asset_json())
    assert check_zip(pipe.getvalue()).name == "sample"


def test_a_comment_is_no_junk() -> None:
    buffer = io.BytesIO(operation_bundle())
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = b"0123456789abcdef PK\x05\x06"
    assert check_zip(buffer.getvalue()).version == "1.0.0"


def test_wheels_and_data_that_is_zipped_may_be_in_it() -> None:
    files: dict[str, bytes | str] = {
        "wheels/six-1.0-py3-none-any.whl": zipped({"six.py": "x = 1"}),
        "model.npz": zipped({"a.npy": "x"}),
    }
    assert check_zip(bundle(files)).name == "sample"


def test_wheels_share_the_sum_of_bytes() -> None:
    wheel = zipped({"data": bytes(range(256)) * 4_000})
    files: dict[str, bytes | str] = {f"{name}-1.0-py3-none-any.whl": wheel for name in "ab"}
    limits = ArchiveLimits(total_bytes=1_500_000)
    assert check_zip(bundle({"a-1.0-py3-none-any.whl": wheel}), limits)
    with pytest.raises(ArchiveError, match=r"b-1.0-py3-none-any.whl: unpacked it is larger than"):
        check_zip(bundle(files), limits)


def test_limits_hold() -> None:
    with pytest.raises(ArchiveError, match="the zip is larger than 100 bytes"):
        check_zip(operation_bundle(), ArchiveLimits(zip_bytes=100))
    with pytest.raises(ArchiveError, match=r"shout.py: it is larger than 50 bytes"):
        check_zip(operation_bundle(), ArchiveLimits(entry_bytes=50))
    assert check_zip(many_entries(9_000))
    with pytest.raises(ArchiveError, match="more than 10000"):
        check_zip(many_entries(10_000))


def test_a_wheel_is_extracted_by_the_same_rules(tmp_path: Path) -> None:
    wheel = tmp_path / "a.whl"
    wheel.write_bytes(zipped({"package/__init__.py": "x = 1"}))
    (tmp_path / "out").mkdir()
    extract(wheel, tmp_path / "out")
    assert (tmp_path / "out/package/__init__.py").read_text() == "x = 1"
    wheel.write_bytes(zipped({"../x": "1"}))
    with pytest.raises(ArchiveError, match="leads out"):
        extract(wheel, tmp_path / "out")


@given(st.binary(max_size=600), st.integers(0, 600), st.integers(0, 255))
def test_whatever_bytes_come_it_is_a_refusal_or_a_bundle(noise: bytes, place: int, value: int) -> None:
    sound = bytearray(operation_bundle())
    sound[place % len(sound)] = value
    for content in (noise, bytes(sound), b"PK\x03\x04" + noise, bytes(sound[: place % len(sound)])):
        with contextlib.suppress(ArchiveError):
            assert check_zip(content).version


def test_names_that_are_one_file_somewhere_compare_equal() -> None:
    assert comparable("STRASSE/\u00c9") == comparable("straße/e\u0301")
