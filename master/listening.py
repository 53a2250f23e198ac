"""The port of the master: taken before anything else is started, and the same again after a restart."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sliceworks.protocol.errors import ConfigError
from sliceworks.protocol.settings import Settings

BACKLOG: Final = 1_024
_ANY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - names of addresses, nothing is bound here


@contextlib.contextmanager
def listen(settings: Settings) -> Iterator[socket.socket]:
    """The listening socket; who connects waits until it is served.  ConfigError if the port cannot be had."""
    with contextlib.ExitStack() as stack:
        yield stack.enter_context(_first_free(settings))


def remember_port(settings: Settings, listener: socket.socket) -> None:
    """Keep the port that was picked, so that the next start picks it again and nodes find the master."""
    if settings.port == 0:
        path = _port_file(settings)
        fresh = path.with_suffix(".new")
        fresh.write_text(f"{listener.getsockname()[1]}\n")
        fresh.replace(path)  # who reads it meanwhile sees the old one or the new one


def url_of(settings: Settings, listener: socket.socket) -> str:
    """How processes of this host reach the master."""
    host = _ANY_ADDRESS.get(settings.bind, settings.bind)
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


def _first_free(settings: Settings) -> socket.socket:
    if settings.port:
        return _bound(settings.bind, settings.port)
    with contextlib.suppress(ConfigError, OSError, ValueError):
        return _bound(settings.bind, int(_port_file(settings).read_text()))
    return _bound(settings.bind, 0)


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, number, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, number)
    except OSError as error:
        message = f"cannot listen on {host} port {port}: {error.strerror}: set another bind"
        raise ConfigError(message) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigError(_explanation(host, port, error)) from error
    listener.setblocking(False)  # noqa: FBT003 - the name of the method says it
    return listener


def _explanation(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is taken: another program listens there; stop it, or set port or bind"
    return f"cannot listen on {host} port {port}: {os.strerror(error.errno or 0)}: set port or bind"


def _port_file(settings: Settings) -> Path:
    return settings.data_dir / "master.port"
