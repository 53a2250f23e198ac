"""The assets of a node: one download for all, whole or not at all, damage repaired, little disk."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import shutil
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sliceworks.protocol.clock import SystemClock
from sliceworks.protocol.errors import ConfigError
from sliceworks.worker import assets as assets_module
from sliceworks.worker.asset_fetch import AssetDelayError, AssetError
from sliceworks.worker.asset_notes import note_of, read_note
from sliceworks.worker.assets import KEEP_UNUSED_MS, Assets

DAY_AND_MORE = KEEP_UNUSED_MS / 1_000 + 60


def zip_of(files: dict[str, str]) -> tuple[str, bytes]:
    """Id and bytes of a bundle."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as bundle:
        for name, text in {"asset.json": json.dumps({"name": "a", "version": "1.0.0"}), **files}.items():
            bundle.writestr(name, text)
    return hashlib.sha1(out.getvalue(), usedforsecurity=False).hexdigest(), out.getvalue()


class Shelf:
    """A master that gives assets away when it may."""

    def __init__(self, *bundles: tuple[str, bytes]) -> None:
        self.bundles = dict(bundles)
        self.asked: list[str] = []
        self.troubles: list[Exception] = []
        self.may_give = asyncio.Event()
        self.may_give.set()
        self.was_asked = asyncio.Event()

    async def fetch(self, asset_id: str, path: Path) -> None:
        self.asked.append(asset_id)
        self.was_asked.set()
        await self.may_give.wait()
        if self.troubles:
            raise self.troubles.pop(0)
        write(path, self.bundles[asset_id])


@asynccontextmanager
async def opened(folder: Path, shelf: Shelf) -> AsyncIterator[Assets]:
    async with Assets.open(folder, shelf.fetch, SystemClock()) as assets:
        yield assets


def write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def no_word(_reason: str) -> None:
    raise AssertionError


FIRST = zip_of({"op.py": "x = 1"})
SECOND = zip_of({"op.py": "x = 2"})
IDS = [FIRST[0], SECOND[0]]


async def test_an_asset_is_fetched_once_for_all_who_need_it(tmp_path: Path) -> None:
    shelf = Shelf(FIRST, SECOND)
    shelf.may_give.clear()
    async with opened(tmp_path, shelf) as assets:
        async with asyncio.TaskGroup() as group:
            for number in range(5):
                group.create_task(assets.wait_for(IDS, no_word), name=f"user-{number}")
            await shelf.was_asked.wait()
            shelf.may_give.set()
        await assets.wait_for(IDS, no_word)
        assert shelf.asked == IDS
        assert (assets.directory(IDS[0]) / "op.py").read_text() == "x = 1"
    assert names_in(tmp_path) == sorted([".node", *IDS])
    assert names_in(tmp_path / ".node" / "work") == []


async def test_who_goes_away_does_not_stop_the_download_of_others(tmp_path: Path) -> None:
    shelf = Shelf(FIRST)
    shelf.may_give.clear()
    async with opened(tmp_path, shelf) as assets, asyncio.TaskGroup() as group:
        leaver = group.create_task(assets.wait_for(IDS[:1], no_word), name="leaver")
        stayer = group.create_task(assets.wait_for(IDS[:1], no_word), name="stayer")
        await shelf.was_asked.wait()
        leaver.cancel()
        await asyncio.wait([leaver])
        shelf.may_give.set()
        await stayer
    assert shelf.asked == IDS[:1]


async def test_a_master_that_is_away_is_waited_for_and_the_reason_told(tmp_path: Path) -> None:
    shelf = Shelf(FIRST)
    shelf.troubles = [AssetDelayError("away"), AssetDelayError("away"), AssetDelayError("busy")]
    told: list[str] = []
    async with opened(tmp_path, shelf) as assets:
        await assets.wait_for(IDS[:1], told.append)
    assert told == ["away", "busy", ""]


async def test_what_cannot_be_had_is_an_error_and_can_be_tried_again(tmp_path: Path) -> None:
    shelf = Shelf(FIRST)
    shelf.troubles = [AssetError("gone")]
    async with opened(tmp_path, shelf) as assets:
        with pytest.raises(AssetError, match="gone"):
            await assets.wait_for(IDS[:1], no_word)
        await assets.wait_for(IDS[:1], no_word)


async def test_a_zip_that_breaks_a_rule_is_an_error(tmp_path: Path) -> None:
    bad = zip_of({"../out.py": ""})
    async with opened(tmp_path / "assets", Shelf(bad)) as assets:
        with pytest.raises(AssetError, match=f"asset {bad[0]} cannot be unpacked on this host"):
            await assets.wait_for([bad[0]], no_word)
    assert names_in(tmp_path / "assets") == [".node"]
    assert not (tmp_path / "out.py").exists()


async def test_the_next_daemon_finds_what_is_there(tmp_path: Path) -> None:
    for _ in range(2):
        shelf = Shelf(FIRST)
        async with opened(tmp_path, shelf) as assets:
            await assets.wait_for(IDS[:1], no_word)
            (assets.directory(IDS[0]) / "__pycache__").mkdir(exist_ok=True)
            (assets.directory(IDS[0]) / "__pycache__" / "op.pyc").write_text("compiled")
    assert shelf.asked == []


def _cut(folder: Path) -> None:
    (folder / "op.py").write_text("x =")


def _remove_file(folder: Path) -> None:
    (folder / "op.py").unlink()


def _add_file(folder: Path) -> None:
    (folder / "json.py").write_text("")


def _same_size(folder: Path) -> None:
    stat = (folder / "op.py").stat()
    (folder / "op.py").write_text("x = 7")
    os.utime(folder / "op.py", ns=(stat.st_atime_ns, stat.st_mtime_ns))


def _no_folder(folder: Path) -> None:
    shutil.rmtree(folder)


def _file_instead(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("")


@pytest.mark.parametrize("damage", [_cut, _remove_file, _add_file, _same_size, _no_folder, _file_instead])
async def test_a_damaged_copy_is_fetched_again(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    async with opened(tmp_path, Shelf(FIRST)) as assets:
        await assets.wait_for(IDS[:1], no_word)
    damage(tmp_path / IDS[0])
    shelf = Shelf(FIRST)
    async with opened(tmp_path, shelf) as assets:
        await assets.wait_for(IDS[:1], no_word)
    assert shelf.asked == IDS[:1]
    assert (tmp_path / IDS[0] / "op.py").read_text() == "x = 1"
    assert note_of(tmp_path / IDS[0]) == read_note(tmp_path / ".node" / f"{IDS[0]}.json")


async def test_a_folder_that_vanishes_while_the_daemon_runs_is_fetched_again(tmp_path: Path) -> None:
    shelf = Shelf(FIRST)
    async with opened(tmp_path, shelf) as assets:
        await assets.wait_for(IDS[:1], no_word)
        shutil.rmtree(assets.directory(IDS[0]))
        await assets.wait_for(IDS[:1], no_word)
    assert shelf.asked == IDS[:1] * 2


@pytest.mark.parametrize("step", ["write_note", "unpack"])
async def test_a_crash_on_the_way_leaves_nothing_that_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The process ends after the step: nothing that follows happens, not even the tidying up."""
    done = getattr(assets_module, step)

    class Crash(BaseException):
        pass

    def crash(*arguments: Any) -> None:
        done(*arguments)
        raise Crash

    monkeypatch.setattr(assets_module, step, crash)
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    with pytest.raises(BaseExceptionGroup):
        async with opened(tmp_path, Shelf(FIRST)) as assets:
            await assets.wait_for(IDS[:1], no_word)
    monkeypatch.undo()
    shelf = Shelf(FIRST)
    async with opened(tmp_path, shelf) as assets:
        await assets.wait_for(IDS[:1], no_word)
        assert note_of(assets.directory(IDS[0])) == read_note(tmp_path / ".node" / f"{IDS[0]}.json")
    assert shelf.asked == IDS[:1]
    assert names_in(tmp_path / ".node" / "work") == []


async def test_unused_assets_are_removed_after_a_while_but_none_in_use(tmp_path: Path) -> None:
    shelf = Shelf(FIRST, SECOND)
    async with opened(tmp_path, shelf) as assets:
        await assets.wait_for(IDS, no_word)
        for asset_id in IDS:
            _age(tmp_path, asset_id)
        with assets.used(IDS[:1]):
            assert assets._superfluous() == [IDS[1]]
        assert assets._superfluous() == [IDS[1]]
    async with opened(tmp_path, shelf):
        await _until(lambda: not (tmp_path / IDS[1]).exists() and not _noted(tmp_path, IDS[1]))
        assert (tmp_path / IDS[0]).exists()
    assert shelf.asked == IDS


async def test_too_many_unused_assets_are_removed_the_longest_unused_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path, Shelf(FIRST, SECOND)) as assets:
        await assets.wait_for(IDS, no_word)
        _age(tmp_path, IDS[0], seconds=60)
        note = read_note(tmp_path / ".node" / f"{IDS[0]}.json")
        assert note
        monkeypatch.setattr(assets_module, "KEEP_UNUSED_BYTES", note.size)
        assert assets._superfluous() == [IDS[0]]


async def test_what_somebody_else_put_there_is_used_and_never_touched(tmp_path: Path) -> None:
    folder = tmp_path / IDS[0]
    folder.mkdir()
    (folder / "op.py").write_text("x = 1")
    shelf = Shelf()
    async with opened(tmp_path, shelf) as assets:
        with assets.used(IDS[:1]):
            await assets.wait_for(IDS[:1], no_word)
        assert assets._superfluous() == []
    assert shelf.asked == []


async def test_two_daemons_cannot_share_a_folder(tmp_path: Path) -> None:
    async with opened(tmp_path, Shelf()):
        with pytest.raises(ConfigError, match="is in use by process"):
            async with opened(tmp_path, Shelf()):
                pass


async def test_a_daemon_that_ends_waits_for_no_download(tmp_path: Path) -> None:
    shelf = Shelf(FIRST)
    shelf.may_give.clear()
    async with opened(tmp_path, shelf) as assets, asyncio.TaskGroup() as group:
        waiting = group.create_task(assets.wait_for(IDS[:1], no_word), name="waiting")
        await shelf.was_asked.wait()
        waiting.cancel()


def _age(folder: Path, asset_id: str, *, seconds: float = DAY_AND_MORE) -> None:
    path = folder / ".node" / f"{asset_id}.json"
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


def _noted(folder: Path, asset_id: str) -> bool:
    return (folder / ".node" / f"{asset_id}.json").exists()


async def _until(is_so: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if is_so():
            return
        await asyncio.sleep(0.01)
    raise AssertionError
