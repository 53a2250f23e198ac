"""The file reader: every line of every file, once, whatever the sizes."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from sliceworks.operations import DataEntity, RecordBatch, Records
from sliceworks.operations.builtin.compression import Compression, compress

Read = Callable[..., Any]


@pytest.fixture
def read(requests_of: Any, operation: Any) -> Read:
    """All records of all slices, in order."""

    async def read_all(path: object, **options: Any) -> list[Records]:
        paths = [str(item) for item in path] if isinstance(path, list) else str(path)
        entry = {"path": paths, **options}
        fetcher = operation("file_reader", **entry)
        return [fetcher.fetch(request) for request in await requests_of({"_op": "file_reader", **entry})]

    return read_all


def flat(slices: list[Records]) -> Records:
    return [record for records in slices for record in records]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 10_000])
async def test_a_file_in_parts_gives_all_its_lines(write: Any, read: Read, size: int) -> None:
    lines = [f"line {n}" * (n % 4) for n in range(50)]
    path = write("a.log", "\r\n".join(lines) + "\r\nlast")
    slices = await read(path, format="raw", size=size)
    assert [record["data"] for record in flat(slices)] == [*lines, "last"]
    assert len(slices) == -(-path.stat().st_size // size)


async def test_metadata_are_path_and_offset(write: Any, read: Read) -> None:
    one, two = write("1.log", b"a\nbb\n"), write("2.log", b"\xff\nccc\n")
    (batch,) = await read(one.parent, format="raw")
    assert isinstance(batch, RecordBatch)
    found = [(entity["data"], entity.metadata) for entity in batch.entities()]
    assert found == [
        ("a", {"path": str(one), "offset": 0}),
        ("bb", {"path": str(one), "offset": 2}),
        ("\ufffd", {"path": str(two), "offset": 0}),
        ("ccc", {"path": str(two), "offset": 2}),
    ]


async def test_offsets_count_from_the_begin_of_the_file(write: Any, read: Read) -> None:
    content = b'{"n":1}\n\n{"n":22}\n{"n":333}\n'
    slices = await read(write("a.ldjson", content), size=9)
    entities = [entity for batch in slices if isinstance(batch, RecordBatch) for entity in batch.entities()]
    assert [content[entity.metadata["offset"] :][:5] for entity in entities] == [b'{"n":'] * 3
    assert [entity["n"] for entity in entities] == [1, 22, 333]
    assert all(isinstance(entity, DataEntity) for entity in entities)


async def test_small_files_share_a_slice(write: Any, read: Read) -> None:
    for n in range(10):
        write(f"in/{n}.log", f"{n}\n")
    slices = await read(write("in/x.log").parent, format="raw", size=6)
    assert [len(records) for records in slices] == [3, 3, 3, 1]


@pytest.mark.parametrize("compression", [Compression.GZIP, Compression.ZSTD])
async def test_compressed_files_are_one_slice_each(write: Any, read: Read, compression: Compression) -> None:
    data = b"".join(b"%d\n" % n for n in range(1000))
    suffix = {"gzip": "gz", "zstd": "zst"}[compression]
    path = write(f"a.log.{suffix}", compress(data[:100], compression) + compress(data[100:], compression))
    slices = await read(path, format="raw", size=10)
    assert [[int(record["data"]) for record in records] for records in slices] == [list(range(1000))]


async def test_the_option_overrules_the_name(write: Any, read: Read) -> None:
    assert flat(await read(write("a.log", gzip.compress(b"x\n")), format="raw", compression="gzip")) == [
        {"data": "x"}
    ]
    assert flat(await read(write("b.gz", b"y\n"), format="raw", compression="none")) == [{"data": "y"}]


async def test_broken_compression_names_the_file(write: Any, read: Read) -> None:
    with pytest.raises(ValueError, match=r"/a\.gz is no whole gzip data"):
        await read(write("a.gz", b"y\n"), format="raw")


async def test_json_is_one_slice_a_file(write: Any, read: Read) -> None:
    write("in/a.json", b'[{"n":1},{"n":2}]')
    path = write("in/b.json", b'{"n":3}')
    slices = await read(path.parent, format="json", size=5)
    assert slices == [[{"n": 1}, {"n": 2}], [{"n": 3}]]
    assert isinstance(slices[0], RecordBatch)
    assert slices[0].metadata_of(1) == {"path": str(path.with_name("a.json")), "offset": 0}


@pytest.mark.parametrize("size", [1, 6, 1000])
async def test_csv_with_a_header_in_each_file(write: Any, read: Read, size: int) -> None:
    write("in/a.csv", b"id,name\n1,one\n2,two\n")
    write("in/b.csv", b"name,id\nthree,3\n")
    slices = await read(write("in/c.csv", b"id,name\n").parent, format="csv", size=size)
    assert flat(slices) == [
        {"id": "1", "name": "one"},
        {"id": "2", "name": "two"},
        {"name": "three", "id": "3"},
    ]


async def test_csv_with_given_fields(write: Any, read: Read) -> None:
    write("in/a.tsv", b"1\tone\n")
    path = write("in/b.tsv", b"id\tname\n2\ttwo\n").parent
    expected = [{"id": "1", "name": "one"}, {"id": "2", "name": "two"}]
    assert flat(await read(path, format="tsv", fields=["id", "name"])) == expected
    path = write("c.csv", b"1|one\n2|two\n")
    assert flat(await read(path, format="csv", fields=["id", "name"], field_delimiter="|")) == expected


async def test_bad_lines_fail_the_slice_with_file_and_place(write: Any, read: Read) -> None:
    path = write("a.ldjson", b'{"n":1}\n{"n":\n')
    with pytest.raises(ValueError, match=r"/a\.ldjson, byte 8: "):
        await read(path)


async def test_bad_lines_may_be_logged_and_left_out(write: Any, read: Read) -> None:
    path = write("a.ldjson", b'{"n":1}\n{"n":\n{"n":2}\n')
    with capture_logs() as logs:
        assert flat(await read(path, _dead_letter_action="log")) == [{"n": 1}, {"n": 2}]
    assert [entry["record"] for entry in logs] == ["'{\"n\":'"]


async def test_recovery_goes_on_after_the_last_request(write: Any, requests_of: Any) -> None:
    for n in range(7):
        write(f"in/{n}.log", f"{n}\n" * (n * 3))
    entry = {"_op": "file_reader", "path": str(write("in/x").parent), "format": "raw", "size": 10}
    made = await requests_of(entry)
    for n, request in enumerate(made):
        recovery = [{"slicer_id": 0, "last_slice": request, "checkpoint": None}]
        assert await requests_of(entry, recovery=recovery) == made[n + 1 :]


async def test_nothing_to_read_is_no_slice(tmp_path: Path, write: Any, read: Read) -> None:
    write("empty.log")
    assert await read(tmp_path, format="raw") == []
    assert await read(tmp_path / "*.none", format="raw") == []


async def test_the_reader_is_recoverable_and_alone(execution: Any, requests_of: Any, write: Any) -> None:
    path = str(write("a.log", b"a\n"))
    assert len(await requests_of({"_op": "file_reader", "path": path, "format": "raw"}, slicers=3)) == 1


def test_faults(option_faults: Any, tmp_path: Path) -> None:
    def faults(**options: Any) -> dict[str, str]:
        found: dict[str, str] = option_faults({"_op": "file_reader", **options}, is_reader=True)
        return found

    missing = str(tmp_path / "missing")
    assert faults(path=missing) == {"path": f"operation file_reader, option path: {missing} does not exist"}
    assert faults(path=[str(tmp_path), missing])["path"].endswith("missing does not exist")
    assert faults(path=f"{missing}/*.log")["path"].endswith("missing/*.log does not exist")
    assert faults(path=f"{tmp_path}/*.log") == {}
    assert faults(path=[])["path"].endswith("must not be empty")
    assert faults(path=str(tmp_path), size=0)["size"].endswith("must be greater than or equal to 1, got 0")
    assert "field_delimiter" in faults(path=str(tmp_path), field_delimiter="ab")
    persistent = option_faults(
        {"_op": "file_reader", "path": str(tmp_path)}, is_reader=True, lifecycle="persistent"
    )
    assert "set the lifecycle of the job to once" in persistent["path"]
