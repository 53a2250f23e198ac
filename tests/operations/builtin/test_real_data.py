"""Files as they are found: what the reader gives is what a plain read gives, in every format and split.

And what the exporter wrote, the reader reads.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sliceworks.operations.harness import OperationHarness, run_job, run_slicer

COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": lambda data: zstandard.ZstdCompressor().compress(data),
}
CELLS = st.text(max_size=8).map(lambda text: text.replace("\n", " ").replace("\r", " "))
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | FLOATS | st.text(max_size=10)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
RECORDS = st.lists(st.dictionaries(st.text(max_size=5), VALUES, max_size=4), max_size=12)
ENDS = st.sampled_from([b"\n", b"\r\n"])
SIZES = st.integers(1, 60)

relaxed = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples; each begins by emptying it."""
    return tmp_path_factory.mktemp("data")


@st.composite
def texts(draw: st.DrawFn, lines: st.SearchStrategy[bytes]) -> bytes:
    """Lines with ends of both kinds; the last may have none."""
    found = draw(st.lists(lines, max_size=12))
    text = b"".join(line + draw(ENDS) for line in found)
    return text.rstrip(b"\r\n") if found and found[-1] and draw(st.booleans()) else text


RAW_LINES = st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"").replace(b"\r", b""))
JSON_LINES = st.dictionaries(st.text(max_size=4), VALUES, max_size=3).map(orjson.dumps)


def filled(folder: Path, contents: dict[str, bytes]) -> Path:
    for path in folder.iterdir():
        path.unlink()
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


def read(folder: Path, **options: Any) -> list[dict[str, Any]]:
    """All records of all files in the folder."""
    entry = {"path": str(folder), **options}
    requests = run_slicer("file_reader", entry).requests
    with OperationHarness("file_reader", entry) as reader:
        return [dict(record) for request in requests for record in reader.run(request)]


def plain_lines(content: bytes) -> list[str]:
    """The lines of a file, read in the plainest way."""
    lines = content.decode("utf-8", "replace").split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def csv_text(rows: list[list[str]], delimiter: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    return text.getvalue()


@relaxed
@given(contents=st.lists(texts(RAW_LINES), min_size=1, max_size=3), size=SIZES)
@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_raw_lines(folder: Path, contents: list[bytes], size: int, suffix: str) -> None:
    compress = COMPRESSIONS[suffix]
    filled(folder, {f"{place}.txt{suffix}": compress(content) for place, content in enumerate(contents)})
    expected = [{"data": line} for content in contents for line in plain_lines(content)]
    assert read(folder, format="raw", size=size) == expected


@relaxed
@given(contents=st.lists(texts(JSON_LINES), min_size=1, max_size=3), size=SIZES)
@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_json_lines(folder: Path, contents: list[bytes], size: int, suffix: str) -> None:
    compress = COMPRESSIONS[suffix]
    filled(folder, {f"{place}.x{suffix}": compress(content) for place, content in enumerate(contents)})
    expected = [orjson.loads(line) for content in contents for line in content.splitlines() if line.strip()]
    assert read(folder, size=size) == expected


@relaxed
@given(contents=st.lists(RECORDS, min_size=1, max_size=3), size=SIZES)
@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_json_arrays(folder: Path, contents: list[Any], size: int, suffix: str) -> None:
    compress = COMPRESSIONS[suffix]
    filled(folder, {f"{n}.x{suffix}": compress(orjson.dumps(content)) for n, content in enumerate(contents)})
    assert read(folder, format="json", size=size) == [record for content in contents for record in content]


@relaxed
@given(rows=st.lists(st.tuples(CELLS, CELLS), max_size=12), size=SIZES, end=ENDS, ended=st.booleans())
@pytest.mark.parametrize("format_name", ["csv", "tsv"])
@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_tables(
    folder: Path, rows: list[Any], size: int, end: bytes, ended: bool, format_name: str, suffix: str
) -> None:
    text = csv_text([["a", "b"], *rows], "," if format_name == "csv" else "\t")
    content = text.encode().replace(b"\n", end)
    filled(folder, {f"x{suffix}": COMPRESSIONS[suffix](content if ended else content.removesuffix(end))})
    expected = [{"a": a, "b": b} for a, b in rows]
    assert read(folder, format=format_name, size=size) == expected


def written(folder: Path, records: list[Any], **options: Any) -> Iterator[Path]:
    """The files that the exporter makes of these records, in two slices."""
    filled(folder, {})
    with OperationHarness("file_exporter", {"path": str(folder), **options}) as exporter:
        exporter.run(records[:5])
        exporter.run(records[5:])
    return folder.iterdir()


@relaxed
@given(records=RECORDS)
@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
@pytest.mark.parametrize(("format_name", "per_slice"), [("ldjson", False), ("ldjson", True), ("json", True)])
def test_objects_there_and_back(
    folder: Path, records: list[Any], compression: str, format_name: str, per_slice: bool
) -> None:
    options = {"format": format_name, "compression": compression}
    files = written(folder, records, **options, file_per_slice=per_slice)
    # the name of a slice says where it stands
    assert all(path.name.startswith("slice-") == per_slice for path in files)
    assert read(folder, format=format_name, size=20) == records


@relaxed
@given(rows=st.lists(st.tuples(CELLS, CELLS), max_size=12), header=st.booleans())
@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
@pytest.mark.parametrize("format_name", ["csv", "tsv", "raw"])
def test_text_there_and_back(
    folder: Path, rows: list[Any], header: bool, compression: str, format_name: str
) -> None:
    if format_name == "raw":
        records = [{"data": a + b} for a, b in rows]
        list(written(folder, records, format="raw", compression=compression))
        assert read(folder, format="raw", size=20) == records
        return
    records = [{"a": a, "b": b} for a, b in rows]
    options = {"format": format_name, "compression": compression, "fields": ["a", "b"]}
    list(written(folder, records, **options, include_header=header))
    assert read(folder, format=format_name, fields=["a", "b"], size=20) == _without_header(records, header)


def _without_header(records: list[Any], header: bool) -> list[Any]:
    """A first row that looks like a header is taken for one."""
    is_taken = not header and records[:1] == [{"a": "a", "b": "b"}]
    return records[1:] if is_taken else records


def _shrink(path: Path) -> None:
    os.truncate(path, 5)


def _rewrite(path: Path) -> None:
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(0, 0))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (Path.unlink, "is gone since it was found"),
        (_shrink, "was changed since it was found (60 bytes then, 5 now)"),
        (_rewrite, "was changed since it was found (60 bytes then, 60 now)"),
    ],
)
def test_a_file_that_changes_in_between_fails_its_slices(
    tmp_path: Path, change: Callable[[Path], None], reason: str
) -> None:
    (tmp_path / "a.txt").write_bytes(b"a\n" * 30)
    (tmp_path / "b.txt").write_bytes(b"b\n" * 30)
    entry = {"path": str(tmp_path), "format": "raw", "size": 20}
    requests = run_slicer("file_reader", entry).requests
    with OperationHarness("file_reader", entry) as reader:
        assert len(reader.run(requests[0])) == 10
        change(tmp_path / "a.txt")
        for request in requests[1:3]:
            with pytest.raises(RuntimeError) as caught:
                reader.run(request)
            assert f"{tmp_path}/a.txt {reason}" in str(caught.value)
        assert [len(reader.run(request)) for request in requests[3:]] == [10, 10, 10]


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_compressed_file_that_grows_fails_its_slice(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.txt{suffix}"
    path.write_bytes(COMPRESSIONS[suffix](b"a\n"))
    entry = {"path": str(tmp_path), "format": "raw"}
    [request] = run_slicer("file_reader", entry).requests
    with path.open("ab") as file:
        file.write(COMPRESSIONS[suffix](b"b\n"))
    with (
        OperationHarness("file_reader", entry) as reader,
        pytest.raises(RuntimeError, match="was changed since"),
    ):
        reader.run(request)


def test_files_that_come_and_go_while_slices_are_made(tmp_path: Path) -> None:
    """A file that is gone before the slicer comes to it is none; one that comes too late neither."""
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(b"x\n" * 20)
    entry = {"path": str(tmp_path), "format": "raw", "size": 40}
    first = run_slicer("file_reader", entry, limit=1)
    (tmp_path / "b").unlink()
    (tmp_path / "0").write_bytes(b"x\n")
    rest = run_slicer("file_reader", entry, recovery=first.recovery)
    paths = [
        Path(piece["path"]).name for request in first.requests + rest.requests for piece in request["files"]
    ]
    assert paths == ["a", "c"]


def test_a_whole_job_over_files(tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    lines = [orjson.dumps({"n": n, "even": n % 2 == 0}) for n in range(100)]
    (source / "a.ldjson").write_bytes(b"\r\n".join(lines[:60]))
    (source / "b.ldjson.gz").write_bytes(gzip.compress(b"\n".join(lines[60:])))
    result = run_job(
        {
            "operations": [
                {"_op": "file_reader", "path": str(source), "format": "raw", "size": 100},
                {"_op": "json_parser"},
                {"_op": "filter", "field": "even", "value": True},
                {"_op": "file_exporter", "path": str(target)},
            ]
        }
    )
    assert not result.failed
    assert [record["n"] for record in result.records] == list(range(0, 100, 2))
    assert [record["n"] for record in read(target)] == list(range(0, 100, 2))
