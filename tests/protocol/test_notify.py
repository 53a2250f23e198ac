"""What systemd hears."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from sliceworks.protocol.notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """The socket of a service manager, and its address as it stands in the environment."""
    address = str(tmp_path / "notify") if request.param == "path" else f"@sliceworks-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address.replace("@", "\0", 1) if request.param == "abstract" else address)
        listening.settimeout(10)
        yield listening, address


def test_each_word_is_one_datagram(manager: tuple[socket.socket, str]) -> None:
    listening, address = manager
    environment = {"NOTIFY_SOCKET": address, "OTHER": "1"}
    notify = Notifier.from_environment(environment)
    assert environment == {"OTHER": "1"}, "children are not to speak for us"
    notify.ready("serving")
    notify.ready()
    notify.alive("3 executions")
    notify.extend_timeout(1.5)
    notify.alive()
    notify.stopping()
    assert [listening.recv(1000) for _ in range(6)] == [
        b"READY=1\nSTATUS=serving",
        b"READY=1",
        b"WATCHDOG=1\nSTATUS=3 executions",
        b"EXTEND_TIMEOUT_USEC=1500000",
        b"WATCHDOG=1",
        b"STOPPING=1",
    ]


def test_without_a_manager_nothing_happens() -> None:
    notify = Notifier.from_environment({})
    notify.ready("serving")
    assert not notify.is_heard


def test_a_manager_that_is_gone_is_no_fault(tmp_path: Path) -> None:
    Notifier.from_environment({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).ready()


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(os.getpid())}, 0.5),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, 0),
        ({"WATCHDOG_USEC": "often"}, 0),
        ({}, 0),
    ],
)
def test_how_often_the_watchdog_wants_to_hear(environment: dict[str, str], seconds: float) -> None:
    assert Notifier.from_environment(environment).watchdog_seconds == seconds
