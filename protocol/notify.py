"""What a daemon tells systemd: the sd_notify protocol, which is one datagram of `NAME=value` lines."""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping


class Notifier:
    """Talks to the service manager that started this process; does nothing where there is none."""

    def __init__(self, address: str, watchdog_seconds: float) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.watchdog_seconds = watchdog_seconds  # it wants to hear `alive` more often than this; 0: never

    @property
    def is_heard(self) -> bool:
        """Whether there is a service manager."""
        return bool(self._address)

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str]) -> Notifier:
        """Take what the service manager left for this process; its children are not to find it."""
        address = environment.pop("NOTIFY_SOCKET", "")
        watched_pid = environment.pop("WATCHDOG_PID", "") or str(os.getpid())
        watchdog_us = environment.pop("WATCHDOG_USEC", "")
        watched = watched_pid == str(os.getpid()) and watchdog_us.isdigit()
        return cls(address, int(watchdog_us) / 1e6 if watched else 0)

    def ready(self, status: str = "") -> None:
        """The start is over."""
        self._send("READY=1", *_status(status))

    def alive(self, status: str = "") -> None:
        """The loop that takes work turns; `status` is one line for `systemctl status`."""
        self._send("WATCHDOG=1", *_status(status))

    def stopping(self) -> None:
        """The end has begun."""
        self._send("STOPPING=1")

    def extend_timeout(self, seconds: float) -> None:
        """The start or the end needs this much more time, or a new word by then."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0)
            try:
                sock.sendto("\n".join(lines).encode(), self._address)
            except OSError:
                return  # a service manager that does not listen is no reason to stop


def _status(text: str) -> list[str]:
    return [f"STATUS={text}"] if text else []
