"""Zips for tests: sound ones, and ones that no honest program writes.

A hostile zip is made by writing a sound one and then changing the bytes that lie.
"""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Callable, Mapping
from typing import Final

import orjson

MANIFEST: Final = {"name": "sample", "version": "1.0.0"}
OPERATION: Final = """
from sliceworks.operations import MapProcessor


class Shout(MapProcessor):
    def map(self, record):
        return {**record, "shout": True}
"""


def asset_json(**fields: object) -> bytes:
    """The text of an asset.json."""
    return orjson.dumps({**MANIFEST, **fields})


def _with_field(text: str) -> bytes:
    return zipped({"asset.json": '{"name": "sample", "version": "1.0.0", "field": ' + text + "}"})


def zipped(files: Mapping[str, bytes | str], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of these files, always the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(_info(name, method), content)
    return buffer.getvalue()


def bundle(files: Mapping[str, bytes | str] | None = None, **manifest: object) -> bytes:
    """A bundle with these files beside its asset.json."""
    return zipped({"asset.json": asset_json(**manifest), **(files or {})})


def operation_bundle(**manifest: object) -> bytes:
    """A bundle with one processor, `shout`."""
    return bundle({"shout.py": OPERATION}, **manifest)


def with_mode(name: str, mode: int, content: bytes = b"") -> bytes:
    """A bundle with an entry of that Unix mode."""
    buffer = io.BytesIO(bundle())
    with zipfile.ZipFile(buffer, "a") as archive:
        info = _info(name, zipfile.ZIP_STORED)
        info.create_system, info.external_attr = 3, mode << 16
        archive.writestr(info, content)
    return buffer.getvalue()


def with_raw_name(name: bytes, *, placeholder: bytes = b"#") -> bytes:
    """A bundle with an entry whose name the standard library would not write."""
    stand_in = placeholder * len(name)
    return bundle({stand_in.decode(): b"x"}).replace(stand_in, name)


def with_duplicate(first: str, second: str) -> bytes:
    """A bundle that has two entries whose names may be the same."""
    stand_in = "#" * len(second.encode())
    sound = bundle({first: b"1", stand_in: b"2"})
    return sound.replace(stand_in.encode(), second.encode())


def changed_entry(content: bytes, name: str, **fields: int) -> bytes:
    """The same zip, whose directory says something else of one entry."""
    places = {"flags": (8, "<H"), "method": (10, "<H"), "checksum": (16, "<L")}
    places |= {"packed": (20, "<L"), "size": (24, "<L"), "offset": (42, "<L")}
    at = _directory_entry(content, name)
    data = bytearray(content)
    for field, value in fields.items():
        offset, form = places[field]
        struct.pack_into(form, data, at + offset, value)
    return bytes(data)


def many_entries(count: int) -> bytes:
    """A bundle with so many empty files."""
    return zipped({"asset.json": asset_json(), **{f"f{number}": b"" for number in range(count)}})


def bomb(size: int) -> bytes:
    """A bundle with a file of zeros."""
    return bundle({"zeros.bin": bytes(size)})


def _info(name: str, method: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=(2026, 1, 1, 0, 0, 0))
    info.compress_type = method
    info.external_attr = (stat.S_IFREG | 0o644) << 16 if not name.endswith("/") else 0
    return info


def _directory_entry(content: bytes, name: str) -> int:
    at = content.find(b"PK\x01\x02")
    while at >= 0:
        length = struct.unpack_from("<H", content, at + 28)[0]
        if content[at + 46 : at + 46 + length] == name.encode():
            return at
        at = content.find(b"PK\x01\x02", at + 1)
    raise KeyError(name)


HOSTILE: Final[Mapping[str, Callable[[], bytes]]] = {
    "no zip at all": lambda: b"this is not a zip",
    "nothing": lambda: b"",
    "an empty zip": lambda: zipped({}),
    "junk before": lambda: b"#!/bin/sh\nexit 0\n" + operation_bundle(),
    "junk behind": lambda: operation_bundle() + b"\0" * 100_000,
    "cut off": lambda: operation_bundle()[:-10],
    "half of it": lambda: operation_bundle()[: len(operation_bundle()) // 2],
    "no asset.json": lambda: zipped({"index.py": "x = 1"}),
    "asset.json two levels down": lambda: zipped({"a/b/asset.json": asset_json()}),
    "asset.json is no JSON": lambda: zipped({"asset.json": "{bad"}),
    "asset.json is a list": lambda: zipped({"asset.json": "[]"}),
    "asset.json nested 100,000 deep": lambda: zipped({"asset.json": '{"a":' + "[" * 30_000}),
    "asset.json nested 500 deep": lambda: _with_field("[" * 500 + "]" * 500),
    "asset.json with a number of 100 bits": lambda: _with_field(str(2**100)),
    "asset.json with half a character": lambda: _with_field('"\\ud800"'),
    "asset.json of 1 MB": lambda: zipped({"asset.json": asset_json(description="x" * 1_000_000)}),
    "no name": lambda: zipped({"asset.json": '{"version": "1.0.0"}'}),
    "a name that is a path": lambda: bundle(name="../x"),
    "a version that is none": lambda: bundle(version="abc"),
    "no version": lambda: zipped({"asset.json": '{"name": "sample"}'}),
    "for a newer Teraslice": lambda: bundle(minimum_teraslice_version="999.9.9"),
    "for another Python": lambda: bundle({"shout.py": OPERATION}, python_version="four"),
    "a zip bomb: 100 MB of zeros": lambda: bomb(100 * 1024 * 1024),
    "a zip bomb: says 10 bytes": lambda: changed_entry(bomb(20 * 1024 * 1024), "zeros.bin", size=10),
    "an entry that says 3 GB": lambda: changed_entry(bomb(1_000), "zeros.bin", size=3 * 1024**3),
    "path traversal": lambda: bundle({"../../evil.py": "x = 1"}),
    "path traversal inside": lambda: bundle({"a/../../../evil.py": "x = 1"}),
    "an absolute path": lambda: bundle({"/tmp/evil.py": "x = 1"}),
    "a backslash": lambda: with_raw_name(rb"..\..\evil.py"),
    "a drive letter": lambda: bundle({"C:/evil.py": "x = 1"}),
    "a NUL in a name": lambda: with_raw_name(b"evil.py\0.txt"),
    "a name that is not UTF-8": lambda: bundle({"é.py": "x"}).replace("é".encode(), b"\xff\xfe"),
    "a name of 400 bytes": lambda: bundle({"x" * 400: "x"}),
    "a path of 2,000 bytes": lambda: bundle({"/".join(["x" * 99] * 20): "x"}),
    "a reserved name": lambda: bundle({".wheels/evil.py": "x"}),
    "a symbolic link": lambda: with_mode("link", stat.S_IFLNK | 0o777, b"/etc/passwd"),
    "a device": lambda: with_mode("null", stat.S_IFCHR | 0o666),
    "a block device": lambda: with_mode("disk", stat.S_IFBLK | 0o666),
    "a pipe": lambda: with_mode("pipe", stat.S_IFIFO | 0o666),
    "a socket": lambda: with_mode("socket", stat.S_IFSOCK | 0o666),
    "a name twice": lambda: with_duplicate("shout.py", "shout.py"),
    "a name twice but for case": lambda: with_duplicate("shout.py", "SHOUT.py"),
    "a name twice but for its encoding": lambda: bundle({"\u00e9.py": "1", "e\u0301.py": "2"}),
    "asset.json twice": lambda: with_duplicate("notes.txt", "asset.json"),
    "a file that is also a folder": lambda: bundle({"a": "1", "a/b.py": "2"}),
    "a folder in two spellings": lambda: bundle({"ab/c.py": "1", "AB/d.py": "2"}),
    "a zip in it": lambda: bundle({"inner.zip": bundle()}),
    "a zip in it under another name": lambda: bundle({"inner.dat": bundle()}),
    "a tar in it": lambda: bundle({"inner.tar.gz": b"x"}),
    "a wheel that leads out": lambda: bundle({"evil-1.0-py3-none-any.whl": zipped({"../evil.py": "x"})}),
    "a wheel that is a bomb": lambda: bundle(
        {"bomb-1.0-py3-none-any.whl": zipped({"zeros": bytes(50 * 1024 * 1024)})}
    ),
    "a wheel that is no zip": lambda: bundle({"bad-1.0-py3-none-any.whl": b"PK nothing"}),
    "100,000 entries": lambda: many_entries(100_000),
    "20,000 entries": lambda: many_entries(20_000),
    "encrypted": lambda: changed_entry(operation_bundle(), "shout.py", flags=1),
    "packed with lzma": lambda: zipped(
        {"asset.json": asset_json(), "shout.py": OPERATION}, method=zipfile.ZIP_LZMA
    ),
    "a method nobody knows": lambda: changed_entry(operation_bundle(), "shout.py", method=97),
    "a wrong checksum": lambda: changed_entry(operation_bundle(), "shout.py", checksum=1),
    "an entry shorter than it says": lambda: changed_entry(operation_bundle(), "shout.py", size=9_999),
    "overlapping entries": lambda: changed_entry(operation_bundle(), "shout.py", offset=0),
    "entries that reach behind the end": lambda: changed_entry(operation_bundle(), "shout.py", packed=99_999),
}
"""Every hostile upload by what it is."""
