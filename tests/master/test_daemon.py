"""The master as a process of a service manager: ready when it serves, alive while its machine turns."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAM = """
import sys
from sliceworks.master.daemon import run_master
from sliceworks.protocol.config import load_settings
flags = {"port": 0, "data_dir": sys.argv[1]}
sys.exit(run_master(load_settings(file=None, environment={}, flags=flags).settings))
"""
STATUS = "STATUS=0 executions running, 0 nodes, 0 of 0 slots busy"


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket of a service manager."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(30)
        yield listening


@contextmanager
def running(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "NOTIFY_SOCKET": str(folder / "notify"),
        "WATCHDOG_USEC": "300000",
    }
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(folder / "data")], env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def heard(manager: socket.socket, start: str) -> str:
    """The next message that begins so."""
    while not (text := manager.recv(1_000).decode()).startswith(start):
        pass
    return text


def test_a_service_manager_hears_how_the_cluster_fares(manager: socket.socket, tmp_path: Path) -> None:
    with running(tmp_path) as process:
        assert manager.recv(1_000).decode() == f"READY=1\n{STATUS}"
        port = (tmp_path / "data" / "master.port").read_text().strip()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
            assert answer.status == 200
        assert [heard(manager, "WATCHDOG") for _ in range(3)] == [f"WATCHDOG=1\n{STATUS}"] * 3
        process.send_signal(signal.SIGTERM)
        assert heard(manager, "STOPPING") == "STOPPING=1"
        assert process.wait(30) == 0
