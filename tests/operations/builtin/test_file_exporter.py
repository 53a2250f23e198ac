"""The file exporter: where records go, in which form, and what a repeated slice does."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import orjson
import pytest

from sliceworks.operations import RecordBatch, Records
from sliceworks.operations.builtin.compression import Compression, decompress
from sliceworks.operations.builtin.file_exporter import FileExporter
from sliceworks.protocol.ids import SliceId


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "out"


@pytest.fixture
def export(operation: Any, folder: Path) -> Any:
    """Exports batches as slices of one worker; the files by name."""

    def run(*batches: Records, **options: Any) -> dict[str, bytes]:
        exporter: FileExporter = operation("file_exporter", path=str(folder), **options)
        exporter.initialize()
        for number, records in enumerate(batches):
            exporter.on_slice_started(SliceId(f"slice-{number}"))
            assert exporter.on_batch(records) is records
        exporter.shutdown()
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}

    return run


def only(files: dict[str, bytes]) -> bytes:
    (content,) = files.values()
    return content


def test_a_worker_writes_one_file(export: Any) -> None:
    files = export([{"a": 1}, {"a": 2}], [], [{"a": 3}])
    ((name, content),) = files.items()
    assert name.startswith("host-1-")
    assert name.endswith(".ldjson")
    assert content == b'{"a":1}\n{"a":2}\n{"a":3}\n'


def test_each_worker_has_a_file_of_its_own(export: Any) -> None:
    export([{"a": 1}])
    assert len(export([{"a": 2}])) == 2


def test_without_records_there_is_no_file(export: Any, folder: Path) -> None:
    assert export([], []) == {}
    assert folder.is_dir()


@pytest.mark.parametrize("durable", [True, False])
def test_a_slice_is_in_the_file_before_it_is_reported(operation: Any, folder: Path, durable: bool) -> None:
    exporter = operation("file_exporter", durable=durable, path=str(folder))
    exporter.initialize()
    exporter.on_batch([{"a": 1}])
    (file,) = (path for path in folder.iterdir() if not path.name.startswith("."))
    assert file.read_bytes() == b'{"a":1}\n'
    exporter.shutdown()


def test_durable_output_is_synced_and_other_is_not(
    operation: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    monkeypatch.setattr(os, "fsync", synced.append)
    for durable in (False, True):
        for file_per_slice in (False, True):
            exporter = operation(
                "file_exporter", durable=durable, path=str(folder), file_per_slice=file_per_slice
            )
            exporter.initialize()
            exporter.on_batch([{"a": 1}])
            exporter.shutdown()
            assert bool(synced) is durable
            synced.clear()


def test_a_repeated_slice_replaces_its_file(operation: Any, folder: Path) -> None:
    exporter = operation("file_exporter", path=str(folder), file_per_slice=True)
    exporter.initialize()
    for records in ([{"a": 1}], [{"a": 2}]):
        exporter.on_slice_started(SliceId("slice-1"))
        exporter.on_batch(records)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"slice-1.ldjson": b'{"a":2}\n'}
    exporter.on_slice_started(SliceId("slice-1"))
    exporter.on_batch([])
    assert list(folder.iterdir()) == []


def test_what_a_flush_gives_overwrites_no_slice(operation: Any, folder: Path) -> None:
    exporter = operation("file_exporter", path=str(folder), file_per_slice=True)
    exporter.initialize()
    exporter.on_slice_started(SliceId("slice-1"))
    exporter.on_batch([{"a": 1}])
    exporter.on_slice_started(SliceId("slice-2"))
    exporter.on_slice_failed(SliceId("slice-2"))
    exporter.on_batch([{"a": 2}])
    first, second = sorted(folder.iterdir())
    assert first.name.startswith("flush-")
    assert (second.name, second.read_bytes()) == ("slice-1.ldjson", b'{"a":1}\n')


@pytest.mark.parametrize(
    ("options", "suffix", "content"),
    [
        ({"format": "ldjson"}, ".ldjson", b'{"data":"x","n":1}\n{"data":"y","n":2}\n'),
        ({"format": "raw"}, ".txt", b"x\ny\n"),
        ({"format": "csv"}, ".csv", b"x,1\ny,2\n"),
        ({"format": "tsv", "include_header": True}, ".tsv", b"data\tn\nx\t1\ny\t2\n"),
        ({"format": "csv", "field_delimiter": ";"}, ".csv", b"x;1\ny;2\n"),
        ({"format": "csv", "fields": ["n", "z"], "include_header": True}, ".csv", b"n,z\n1,\n2,\n"),
        ({"format": "ldjson", "fields": ["n"]}, ".ldjson", b'{"n":1}\n{"n":2}\n'),
        ({"format": "raw", "extension": "log"}, ".log", b"x\ny\n"),
        ({"format": "raw", "extension": ""}, "", b"x\ny\n"),
        (
            {"format": "json", "file_per_slice": True},
            "slice-0.json",
            b'[\n{"data":"x","n":1},\n{"data":"y","n":2}\n]\n',
        ),
    ],
)
def test_formats(export: Any, options: dict[str, Any], suffix: str, content: bytes) -> None:
    ((name, written),) = export([{"data": "x", "n": 1}, {"data": "y", "n": 2}], **options).items()
    assert name.endswith(suffix)
    assert written == content


@pytest.mark.parametrize(
    ("options", "suffix", "compression"),
    [
        ({"compression": "gzip"}, ".ldjson.gz", Compression.GZIP),
        ({"compression": "zstd", "extension": "log"}, ".log.zst", Compression.ZSTD),
        ({"extension": ".ldjson.gz"}, ".ldjson.gz", Compression.GZIP),
        ({"extension": ".gz"}, ".gz", Compression.GZIP),
        ({"extension": ".gz", "compression": "none"}, ".gz", Compression.NONE),
    ],
)
def test_compression(export: Any, options: dict[str, Any], suffix: str, compression: Compression) -> None:
    ((name, content),) = export([{"a": 1}], [{"a": 2}], **options).items()
    assert name.endswith(suffix)
    assert decompress(content, compression) == b'{"a":1}\n{"a":2}\n'


def test_a_header_is_written_once_a_file(export: Any) -> None:
    options = {"format": "csv", "include_header": True}
    assert only(export([{"a": 1}, {"b": 2}], [{"b": 3}], **options)) == b"a,b\n1,\n,2\n,3\n"


def test_a_header_is_in_each_slice_file(export: Any) -> None:
    options = {"format": "csv", "include_header": True, "file_per_slice": True}
    assert list(export([{"a": 1}], [{"b": 3}], **options).values()) == [b"a\n1\n", b"b\n3\n"]


def test_a_field_without_a_column_fails_the_slice_and_writes_nothing(operation: Any, folder: Path) -> None:
    exporter = operation("file_exporter", path=str(folder), format="csv")
    exporter.initialize()
    exporter.on_batch([{"a": 1}])
    with pytest.raises(ValueError, match=r"fields \['b'\] are none of the columns \['a'\]: set fields"):
        exporter.on_batch([{"a": 2}, {"b": 3}])
    exporter.shutdown()
    (file,) = folder.iterdir()
    assert file.read_bytes() == b"1\n"


def test_fields_come_from_metadata_too(export: Any) -> None:
    class Source:
        def metadata_at(self, place: int) -> dict[str, Any]:
            return {"path": f"file-{place}", "offset": 0}

    batch = RecordBatch([{"data": "x"}, {"data": "y"}], Source()).select([1])
    assert orjson.loads(only(export(batch, fields=["path", "data"]))) == {"path": "file-1", "data": "y"}


def test_bad_records_may_be_left_out(export: Any) -> None:
    assert only(export([{"a": object()}, {"a": 1}], _dead_letter_action="none")) == b'{"a":1}\n'


def test_a_full_disk_fails_the_slice_and_the_next_try_is_whole(
    operation: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    exporter = operation("file_exporter", path=str(folder), format="csv", include_header=True)
    exporter.initialize()
    with monkeypatch.context() as patch:
        exporter.on_batch([{"a": 1}])
        patch.setattr(os, "pwrite", full)
        with pytest.raises(OSError, match="No space left"):
            exporter.on_batch([{"a": 2}])
    exporter.on_batch([{"a": 2}])
    exporter.shutdown()
    (file,) = folder.iterdir()
    assert file.read_bytes() == b"a\n1\n2\n"


def test_a_new_file_follows_one_that_is_broken(operation: Any, folder: Path) -> None:
    exporter = operation("file_exporter", path=str(folder))
    exporter.initialize()
    exporter.on_batch([{"a": 1}])
    exporter._file.is_broken = True
    exporter.on_batch([{"a": 2}])
    exporter.shutdown()
    contents = [path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")]
    assert sorted(contents) == [b'{"a":1}\n', b'{"a":2}\n']


def test_faults(option_faults: Any, tmp_path: Path) -> None:
    def faults(**options: Any) -> dict[str, str]:
        found: dict[str, str] = option_faults({"_op": "file_exporter", **options})
        return found

    (tmp_path / "file").touch()
    assert faults(path=str(tmp_path / "new")) == {}
    assert faults(path=str(tmp_path / "file"))["path"].endswith("is a file, a folder is wanted")
    assert "must be true for the format json" in faults(path=str(tmp_path), format="json")["file_per_slice"]
    assert "extension" in faults(path=str(tmp_path), extension="../x")
    assert "path" in faults()
