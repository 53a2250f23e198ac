"""Daemons that cannot start say why in one line and end with exit code 1."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.harness import Cluster, eventually, free_port, launch, write_config


def start_and_end(folder: Path, command: str, **settings: Any) -> list[str]:
    """What a daemon that cannot start says, on lines."""
    config = write_config(folder / f"{command}.toml", **settings)
    log = folder / f"{command}.log"
    process = launch(command, config, log)
    assert process.wait(30) == 1
    return log.read_text().splitlines()


@pytest.mark.parametrize("command", ["master", "worker"])
@pytest.mark.parametrize(
    ("setting", "parts"),
    [
        ({"prot": 1}, ["prot", "port"]),
        ({"port": "many"}, ["port", "integer"]),
        ({"lease_timeout": "soon"}, ["lease_timeout", "30s"]),
        ({"state": {"durability": "none"}}, ["state.durability", "full"]),
    ],
)
def test_an_unknown_key_or_a_bad_value(
    tmp_path: Path, command: str, setting: dict[str, Any], parts: list[str]
) -> None:
    (line,) = start_and_end(tmp_path, command, data_dir=str(tmp_path / "data"), **setting)
    assert f"{command}.toml" in line
    assert [part for part in parts if part not in line] == []


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        lines = start_and_end(tmp_path, "master", port=port, data_dir=str(tmp_path / "data"))
    assert str(port) in lines[-1]
    assert "Traceback" not in "".join(lines)


@pytest.mark.parametrize("command", ["master", "worker"])
def test_a_data_directory_that_cannot_be_made(tmp_path: Path, command: str) -> None:
    (tmp_path / "file").write_text("in the way")
    (line,) = start_and_end(tmp_path, command, port=free_port(), data_dir=str(tmp_path / "file" / "data"))
    assert str(tmp_path / "file" / "data") in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_data_directory_that_is_not_writable(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o500)
    (line,) = start_and_end(tmp_path, "master", port=free_port(), data_dir=str(tmp_path / "data"))
    assert str(tmp_path / "data") in line


@pytest.mark.parametrize("name", ["master", "worker"])
def test_a_data_directory_that_is_in_use(cluster: Cluster, tmp_path: Path, name: str) -> None:
    (line,) = start_and_end(tmp_path, name, port=free_port(), data_dir=str(cluster.folder / name))
    assert str(cluster.daemons[name].pid) in line
    assert "in use" in line


def test_a_worker_daemon_whose_master_is_away_says_so_once_and_waits(tmp_path: Path) -> None:
    port = free_port()
    config = write_config(tmp_path / "worker.toml", port=port, workers=1, data_dir=str(tmp_path / "data"))
    log = tmp_path / "worker.log"
    process = launch("worker", config, log)

    def said() -> int:
        return sum(str(port) in line and '"info"' not in line for line in log.read_text().splitlines())

    try:
        eventually(lambda: said() == 1, "the daemon says that its master is away")
        with pytest.raises(AssertionError):
            eventually(lambda: said() > 1, "it says so again", seconds=2)
        assert process.poll() is None
    finally:
        process.terminate()
        assert process.wait(30) == 0
