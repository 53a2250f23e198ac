"""A daemon starts, stops on a signal, and ends with a code and a line that an operator understands."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog.testing

from sliceworks.protocol.daemon import DaemonContext, lock_data_dir, run_daemon
from sliceworks.protocol.errors import ConfigError, StoreError


async def until_stopped(context: DaemonContext) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    await context.stopping.wait()


def test_a_daemon_runs_until_its_main_returns() -> None:
    async def main(context: DaemonContext) -> None:
        assert not context.stopping.is_set()

    assert run_daemon(main) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_stops_and_the_second_changes_nothing(number: signal.Signals) -> None:
    async def main(context: DaemonContext) -> None:
        os.kill(os.getpid(), number)
        await context.stopping.wait()
        os.kill(os.getpid(), number)
        while len(logs) < 2:  # noqa: ASYNC110 - a log tells nobody
            await asyncio.sleep(0)

    with structlog.testing.capture_logs() as logs:
        assert run_daemon(main) == 0
    assert [log["event"] for log in logs] == ["stopping", "signal_ignored"]
    assert logs[0]["signal"] == number.name


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket of a service manager that wants to hear something every 50 ms."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "50000")
        yield listening


async def heard(manager: socket.socket, count: int) -> list[str]:
    return [(await asyncio.to_thread(manager.recv, 1_000)).decode() for _ in range(count)]


def test_the_service_manager_is_told(manager: socket.socket) -> None:
    async def main(context: DaemonContext) -> None:
        async with context.reporting(pulse):
            words.extend(await heard(manager, 3))
            await until_stopped(context)
            words.extend(await heard(manager, 3))
            while not words[-1].startswith("EXTEND"):
                words.extend(await heard(manager, 1))

    async def pulse() -> str:
        return "2 nodes"

    words: list[str] = []
    with structlog.testing.capture_logs():
        assert run_daemon(main) == 0
    assert words[:3] == ["READY=1\nSTATUS=2 nodes", *["WATCHDOG=1\nSTATUS=2 nodes"] * 2]
    assert words[-2:] == ["WATCHDOG=1\nSTATUS=stopping: 2 nodes", "EXTEND_TIMEOUT_USEC=50000"]
    assert "STOPPING=1" in words


def test_a_daemon_whose_work_hangs_falls_silent(manager: socket.socket) -> None:
    async def main(context: DaemonContext) -> None:
        async with context.reporting(pulse):
            hangs.set()
            await asyncio.wait_for(pulsed.wait(), 10)
            await asyncio.sleep(0.2)  # four times as long as the manager waits, and the loop turns

    async def pulse() -> str:
        if hangs.is_set():
            pulsed.set()
            await asyncio.Event().wait()
        return ""

    hangs, pulsed = asyncio.Event(), asyncio.Event()
    assert run_daemon(main) == 0
    assert manager.recv(1_000) == b"READY=1"
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.recv(1_000)


def test_nobody_pulses_without_a_service_manager() -> None:
    async def main(context: DaemonContext) -> None:
        async with context.reporting(pulse):
            pass

    async def pulse() -> str:
        raise AssertionError

    assert run_daemon(main) == 0


def test_errors_of_ours_are_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    async def main(_: DaemonContext) -> None:
        message = "two things"
        raise ExceptionGroup(message, [ConfigError("port is taken"), StoreError("no database")])

    assert run_daemon(main) == 1
    assert capsys.readouterr().err == "sliceworks: port is taken\nsliceworks: no database\n"


def test_anything_else_is_logged_with_its_traceback() -> None:
    async def main(_: DaemonContext) -> None:
        message = "ours and theirs"
        raise ExceptionGroup(message, [ConfigError("port is taken"), RuntimeError("a fault")])

    with structlog.testing.capture_logs() as logs:
        assert run_daemon(main) == 1
    assert [log["event"] for log in logs] == ["daemon_crashed"]
    assert isinstance(logs[0]["exc_info"], BaseExceptionGroup)


def test_a_data_directory_is_made_for_us_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    with lock_data_dir(folder):
        assert folder.stat().st_mode & 0o777 == 0o700
        assert (folder / "lock").read_text() == f"{os.getpid()}\n"
    with lock_data_dir(folder):
        pass


def test_a_second_owner_is_refused_until_the_first_is_dead(tmp_path: Path) -> None:
    source = (
        "import fcntl, os, signal, sys\n"
        "lock = open(sys.argv[1], 'w')\n"
        "fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "lock.write(str(os.getpid())); lock.flush()\n"
        "print(flush=True); signal.pause()"
    )
    command = [sys.executable, "-c", source, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as owner:
        assert owner.stdout
        owner.stdout.readline()
        refused = pytest.raises(ConfigError, match=f"{tmp_path} is in use by process {owner.pid}: stop it")
        with refused, lock_data_dir(tmp_path):
            pass
        owner.kill()
        owner.wait()
        with lock_data_dir(tmp_path):
            pass


def test_a_data_directory_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = pytest.raises(ConfigError, match=r"is not writable .*: set another data_dir")
    with refused, lock_data_dir(tmp_path / "file"):
        pass
