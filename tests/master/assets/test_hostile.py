"""Hostile uploads: each is refused with a reason, and nothing of it is left on the disk or in a list."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from tests.master.assets.conftest import listing
from tests.master.played import PlayedMaster, until
from tests.zips import HOSTILE, bundle, operation_bundle

HOSTILE_IMPORTS = {
    "raises": ("raise ValueError('no')", "ValueError: no"),
    "has a syntax error": ("def (", "SyntaxError"),
    "hangs": ("import time\ntime.sleep(1000)", "takes longer than 2 seconds"),
    "spins": ("while True: pass", "takes longer than 2 seconds"),
    "prints for ever": ("while True: print('x' * 1000)", "takes longer than 2 seconds"),
    "ends its process": ("import os\nos._exit(0)", "ends its process with exit code 0"),
    "calls sys.exit": ("import sys\nsys.exit(3)", "SystemExit"),
    "kills itself": ("import os\nos.kill(os.getpid(), 9)", "is ended by SIGKILL"),
    "crashes": ("import ctypes\nctypes.string_at(0)", "is ended by SIGSEGV"),
    "eats memory": ("x = bytearray(4 * 10**9)", "MemoryError"),
    "forks": ("import os\nos.fork()", "forks a process"),
    "leaves a process": (
        "import subprocess\nsubprocess.Popen(['sleep', '1000'], start_new_session=True)",
        "leaves processes behind",
    ),
    "recurses": ("def f(): f()\nf()", "RecursionError"),
    "has two operations in one file": (
        "from sliceworks.operations import MapProcessor as M\nclass A(M): pass\nclass B(M): pass\n",
        "",
    ),
}


async def upload(master: PlayedMaster, content: bytes) -> tuple[int, dict[str, Any]]:
    headers = {"Content-Type": "application/octet-stream"}
    return await master.ask("POST", "/assets", data=io.BytesIO(content), headers=headers)


async def test_hostile_zips_are_refused_and_nothing_is_left(inspecting: PlayedMaster) -> None:
    data_dir = inspecting.settings.data_dir
    assert (await upload(inspecting, operation_bundle(name="good")))[0] == 201
    before = listing(data_dir)
    for what, make in HOSTILE.items():
        status, answer = await upload(inspecting, make())
        assert (status, answer["error"]) == (422, 422), (what, answer)
        assert answer["message"], what
        assert listing(data_dir) == before, what
    _, assets = await inspecting.ask("GET", "/assets")
    assert [asset["name"] for asset in assets] == ["good"]


async def test_bundles_that_cannot_be_imported_are_refused_and_nothing_is_left(
    inspecting: PlayedMaster,
) -> None:
    data_dir = inspecting.settings.data_dir
    before, descendants = listing(data_dir), children_of(os.getpid())
    for what, (code, reason) in HOSTILE_IMPORTS.items():
        status, answer = await upload(inspecting, bundle({"shout/processor.py": code}))
        assert status == 422, (what, answer)
        assert reason in answer["message"], what
        assert listing(data_dir) == before, what
    await until(
        lambda: children_of(os.getpid()) == descendants
    )  # the last child may be a zombie for a moment


async def test_a_bundle_that_writes_and_prints_leaves_nothing_but_itself(inspecting: PlayedMaster) -> None:
    code = """
import os, pathlib, sys, tempfile
print("hello")
os.write(1, b"hello")
pathlib.Path("here").write_text("x")
pathlib.Path(tempfile.gettempdir(), "there").write_text("x")
pathlib.Path(__file__).with_name("beside").write_text("x")
from sliceworks.operations import MapProcessor
class Shout(MapProcessor):
    def map(self, record):
        return record
"""
    status, answer = await upload(inspecting, bundle({"shout/processor.py": code}))
    assert status == 201, answer
    asset_id = answer["_id"]
    assets = {name for name in listing(inspecting.settings.assets_directory) if name != ".incoming"}
    files = {f"{asset_id}/{name}" for name in ("asset.json", "shout", "shout/processor.py")}
    assert assets == {f"{asset_id}.zip", asset_id, *files}


def children_of(pid: int) -> set[int]:
    """All descendants."""
    found: set[int] = set()
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, path.read_text().split()):
            found |= {child} | children_of(child)
    return found
