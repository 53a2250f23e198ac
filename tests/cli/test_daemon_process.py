"""A daemon as a child: what is said when it ends, and that it is ended for certain."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sliceworks.cli.daemon_process import DaemonEndedError, DaemonProcess, ended_at_exit


async def test_a_daemon_that_ends_at_once_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    async with ended_at_exit(DaemonProcess("nonsense", log=log, end_seconds=5)) as daemon:
        daemon.start("--some", "flag")
        with pytest.raises(DaemonEndedError, match="the nonsense did not start") as caught:
            while True:
                daemon.ensure_running()
                await asyncio.sleep(0.01)
    assert "exit code 2" in str(caught.value)
    assert "No such command 'nonsense'" in str(caught.value)


async def test_it_is_started_again_with_a_growing_pause(tmp_path: Path) -> None:
    said: asyncio.Queue[str] = asyncio.Queue()
    async with ended_at_exit(DaemonProcess("nonsense", log=tmp_path / "log", end_seconds=5)) as daemon:
        daemon.start()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(daemon.keep_running(said.put_nowait), name="keep")
            texts = [await said.get(), await said.get()]
            task.cancel()
    assert texts == [
        "the nonsense ended with exit code 2; starting it again in 0.2 s",
        "the nonsense ended with exit code 2; starting it again in 0.4 s",
    ]


async def test_one_that_was_never_started_has_nothing_to_end(tmp_path: Path) -> None:
    async with ended_at_exit(DaemonProcess("nonsense", log=tmp_path / "log", end_seconds=5)) as daemon:
        assert daemon.pid == 0
