"""The master's port."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from sliceworks.master.listening import listen, remember_port, url_of
from sliceworks.protocol.errors import ConfigError
from sliceworks.protocol.settings import Settings


def test_a_picked_port_is_picked_again(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, port=0)
    with listen(settings) as first:
        remember_port(settings, first)
        port = first.getsockname()[1]
    with listen(settings) as second:
        assert second.getsockname()[1] == port
        assert url_of(settings, second) == f"http://127.0.0.1:{port}"


def test_another_port_is_picked_if_that_one_is_taken(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, port=0)
    with listen(settings) as first:
        remember_port(settings, first)
        with listen(settings) as second:
            assert second.getsockname() != first.getsockname()


@pytest.mark.parametrize("text", ["", "x", "99999999", "-1"])
def test_a_spoiled_file_does_not_keep_the_master_from_starting(tmp_path: Path, text: str) -> None:
    (tmp_path / "master.port").write_text(text)
    with listen(Settings(data_dir=tmp_path, port=0)) as listener:
        assert listener.getsockname()[1] > 0


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with (
            pytest.raises(ConfigError, match=f"port {port} on 127.0.0.1 is taken"),
            listen(Settings(data_dir=tmp_path, port=port)),
        ):
            pass


def test_an_address_of_another_machine_is_named(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, port=0, bind="192.0.2.1")
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1"), listen(settings):
        pass


def test_every_address_is_reached_by_loopback(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, port=0, bind="0.0.0.0")
    with listen(settings) as listener:
        assert url_of(settings, listener).startswith("http://127.0.0.1:")
