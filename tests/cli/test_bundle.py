"""Building bundles: the same bytes everywhere, checked before they are sent."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import zipfile
from pathlib import Path

import pytest

from sliceworks.cli.bundle import build_bundle
from sliceworks.cli.main import exit_code_of
from sliceworks.protocol.errors import InvalidError, UnprocessableError

PROCESSOR = "from sliceworks.operations import MapProcessor\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle, and much beside it that is none of it."""
    made = tmp_path / "bundle"
    for name, text in {
        "asset.json": json.dumps({"name": "shout", "version": "v1.2.3"}),
        "shout/processor.py": PROCESSOR,
        "shout/data/words.txt": "a",
        "shout/tests/kept.txt": "b",
        "shout/__pycache__/processor.pyc": "c",
        "tests/test_shout.py": "d",
        ".git/config": "e",
        ".hidden": "f",
        "shout-1.2.3.zip": "g",
        "job.json": "{}",
        "run.sh": "#!/bin/sh\n",
    }.items():
        path = made / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (made / "run.sh").chmod(0o700)
    return made


def test_takes_what_belongs_to_it(folder: Path) -> None:
    bundle = build_bundle(folder)
    assert (bundle.name, bundle.version, bundle.operations) == ("shout", "1.2.3", ["shout"])
    assert bundle.files == [
        "asset.json",
        "run.sh",
        "shout/data/words.txt",
        "shout/processor.py",
        "shout/tests/kept.txt",
    ]
    with zipfile.ZipFile(io.BytesIO(bundle.data)) as archive:
        assert archive.namelist() == bundle.files
        assert archive.read("shout/processor.py") == PROCESSOR.encode()
        assert archive.getinfo("run.sh").external_attr >> 16 == 0o100755


def test_the_same_files_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    first = build_bundle(folder)
    copy = tmp_path / "elsewhere"
    shutil.copytree(folder, copy)
    for path in copy.rglob("*"):
        os.utime(path, (0, 0))
    (copy / "shout/processor.py").chmod(0o640)
    (copy / "shout/__pycache__/more.pyc").write_text("x")
    assert build_bundle(copy).data == first.data
    (copy / "shout/processor.py").write_text(PROCESSOR + "\n")
    assert build_bundle(copy).asset_id != first.asset_id


def test_a_folder_that_is_no_bundle_is_told(folder: Path) -> None:
    with pytest.raises(InvalidError, match=r"has no asset\.json"):
        build_bundle(folder / "shout")


@pytest.mark.parametrize(
    ("manifest", "told"),
    [("{", "asset.json"), ("{}", "Missing name"), ('{"name": "x", "version": "1"}', "Invalid version")],
)
def test_a_wrong_asset_json_is_told(folder: Path, manifest: str, told: str) -> None:
    (folder / "asset.json").write_text(manifest)
    with pytest.raises(UnprocessableError, match=re.escape(told)):
        build_bundle(folder)


def test_a_link_is_told(folder: Path) -> None:
    (folder / "link").symlink_to("asset.json")
    with pytest.raises(InvalidError, match="link is a symbolic link"):
        build_bundle(folder)


def test_the_command_writes_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert exit_code_of(["asset", "build", str(folder)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["file"] == "shout-1.2.3.zip"
    assert (tmp_path / "shout-1.2.3.zip").read_bytes() == build_bundle(folder).data
    assert exit_code_of(["asset", "build", str(folder), "-o", str(tmp_path / "x.zip")]) == 0
    assert (tmp_path / "x.zip").is_file()
    assert exit_code_of(["asset", "build", str(tmp_path / "nowhere")]) == 2
    assert exit_code_of(["asset", "build", str(folder / "shout")]) == 2
