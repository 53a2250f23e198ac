"""Real clusters for tests: a master and worker daemons, each its own process with its own configuration file.

Every process of a cluster, however it was forked, carries the cluster's mark in its environment, so that what
is left of it can be found: at the end of a cluster that is nothing.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MARK = "CLUSTER_UNDER_TEST"
TERMINAL = {"completed", "stopped", "rejected", "failed", "terminated"}
Job = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What the API said."""

    status: int
    body: Any


@dataclass
class Daemon:
    """One daemon; `command` is `master` or `worker`."""

    command: str
    config: Path
    log: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def ensure_running(self) -> None:
        """RuntimeError if it has ended: waiting for it would be in vain."""
        code = self.process.poll() if self.process else None
        if code is not None:
            message = f"{self.command} has ended with {code}: {tail(self.log_text())}"
            raise RuntimeError(message)

    def log_text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


@dataclass
class Cluster:
    """Daemons in a folder; the master's port stays the same over restarts."""

    folder: Path
    port: int = 0
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    daemons: dict[str, Daemon] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.port = self.port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    # --- daemons

    def add_master(self, **settings: Any) -> Daemon:
        """Start the master, and wait until it answers."""
        daemon = self._add("master", "master", port=self.port, **settings)
        self.wait_for_master()
        return daemon

    def add_worker(self, name: str = "worker", *, workers: int, **settings: Any) -> Daemon:
        """Start a worker daemon, and wait until the master sees it."""
        own = {"port": self.port, "workers": workers, "hostname": "127.0.0.1", **settings}
        daemon = self._add(name, "worker", **own)
        self.wait_for_node(name)
        return daemon

    def start(self, name: str) -> None:
        """Start a daemon (again), and wait until it is there."""
        daemon = self.daemons[name]
        daemon.process = launch(daemon.command, daemon.config, daemon.log, mark=self.mark)
        if name == "master":
            self.wait_for_master()
        else:
            self.wait_for_node(name)

    def kill(self, name: str) -> None:
        """SIGKILL a daemon."""
        process = self.daemons[name].process
        assert process is not None
        process.kill()
        process.wait()

    def stop(self) -> None:
        """End the daemons as systemd would, workers first; nothing may be left of any of them."""
        order = sorted(self.daemons.values(), key=lambda daemon: daemon.command == "master")
        for daemon in order:
            if daemon.process and daemon.process.poll() is None:
                daemon.process.terminate()
                daemon.process.wait(60)
        left = {pid: command_of(pid) for pid in self.processes()}
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert not left, f"processes are left: {left}"

    def processes(self) -> list[int]:
        """The living processes of this cluster."""
        return marked_processes(self.mark)

    def wait_for_master(self) -> None:
        self.eventually(self._answers, "the master answers")

    def wait_for_node(self, name: str) -> None:
        self.eventually(lambda: self._is_connected(self.daemons[name]), f"{name} is connected")

    def _add(self, name: str, command: str, **settings: Any) -> Daemon:
        config = write_config(self.folder / f"{name}.toml", data_dir=str(self.folder / name), **settings)
        self.daemons[name] = Daemon(command, config, self.folder / f"{name}.log")
        daemon = self.daemons[name]
        daemon.process = launch(command, config, daemon.log, mark=self.mark)
        return daemon

    def _answers(self) -> bool:
        self.daemons["master"].ensure_running()
        return self.request("GET", "/").status == 200

    def _is_connected(self, daemon: Daemon) -> bool:
        daemon.ensure_running()
        return bool(self.node(daemon.pid)["state"] == "connected")

    # --- the API

    def request(self, method: str, path: str, body: Any = None, **query: Any) -> Answer:
        """One request; a body that is no bytes is sent as JSON."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        target = f"{path}?{urllib.parse.urlencode(query)}" if query else path
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, target, data)
            response = connection.getresponse()
            return Answer(response.status, json.loads(response.read()))
        finally:
            connection.close()

    def get(self, path: str, **query: Any) -> Any:
        answer = self.request("GET", path, **query)
        assert answer.status < 400, answer
        return answer.body

    def post(self, path: str, body: Any = None, **query: Any) -> Any:
        answer = self.request("POST", path, body, **query)
        assert answer.status < 400, answer
        return answer.body

    def submit(self, job: Job) -> str:
        """The ex_id."""
        ex_id: str = self.post("/jobs", job)["ex_id"]
        return ex_id

    def status(self, ex_id: str) -> str:
        status: str = self.get(f"/ex/{ex_id}")["_status"]
        return status

    def counts(self, ex_id: str) -> dict[str, int]:
        counts: dict[str, int] = self.get(f"/ex/{ex_id}/slices/_count")
        return counts

    def node(self, pid: int) -> dict[str, Any]:
        """The entry of the node whose daemon has this pid; LookupError if there is none."""
        for node in self.get("/cluster/state").values():
            if node["pid"] == pid:
                return dict(node)
        raise LookupError(pid)

    def pids(self, assignment: str, ex_id: str) -> list[int]:
        """The processes of an execution in one role; one that is still being started has no pid yet."""
        entries = [entry for node in self.get("/cluster/state").values() for entry in node["active"]]
        return [
            entry["pid"]
            for entry in entries
            if entry["assignment"] == assignment and entry.get("ex_id") == ex_id and entry["pid"]
        ]

    def wait_until_over(self, ex_id: str, *, seconds: float = 60) -> str:
        """The terminal status."""
        self.eventually(lambda: self.status(ex_id) in TERMINAL, f"{ex_id} is over", seconds=seconds)
        return self.status(ex_id)

    def wait_until_gone(self, ex_id: str) -> None:
        """Until no process of an execution is left."""

        def is_gone() -> bool:
            return not self.pids("worker", ex_id) + self.pids("execution_controller", ex_id)

        self.eventually(is_gone, f"no process of {ex_id} is left")

    def wait_status(self, ex_id: str, status: str, *, seconds: float = 30) -> None:
        self.eventually(lambda: self.status(ex_id) == status, f"{ex_id} is {status}", seconds=seconds)

    def wait_workers(self, ex_id: str, number: int, *, seconds: float = 15) -> None:
        def has_so_many() -> bool:
            return len(self.pids("worker", ex_id)) == number

        self.eventually(has_so_many, f"{ex_id} has {number} workers", seconds=seconds)

    def wait_completed(self, ex_id: str, number: int, *, seconds: float = 60) -> None:
        def has_so_many() -> bool:
            return self.counts(ex_id)["completed"] >= number

        self.eventually(has_so_many, f"{ex_id} has {number} completed slices", seconds=seconds)

    def eventually(self, check: Callable[[], bool], what: str, *, seconds: float = 30) -> None:
        """Wait until `check` holds; a master that is away, or a node that is not there yet, is waited for."""
        try:
            eventually(check, what, seconds=seconds)
        except AssertionError as error:
            logs = [f"--- {name}\n{tail(daemon.log_text())}" for name, daemon in self.daemons.items()]
            raise AssertionError("\n".join([str(error), *logs])) from None

    def store(self, ex_id: str) -> Path:
        """The execution's own store."""
        return self.folder / "master" / "ex" / f"{ex_id}.db"


@contextmanager
def running_cluster(folder: Path, *nodes: int, **settings: Any) -> Iterator[Cluster]:
    """A cluster with a worker daemon for each number of slots, named `worker`, `worker2`, …"""
    folder.mkdir(parents=True, exist_ok=True)
    cluster = Cluster(folder)
    try:
        cluster.add_master(**settings)
        for place, slots in enumerate(nodes, start=1):
            cluster.add_worker("worker" if place == 1 else f"worker{place}", workers=slots, **settings)
        yield cluster
    finally:
        cluster.stop()


def eventually(check: Callable[[], bool], what: str, *, seconds: float = 30) -> None:
    """Wait until `check` holds, taking refused connections and missing entries for "not yet"."""
    deadline = time.monotonic() + seconds
    last: Exception | None = None
    while time.monotonic() < deadline:
        try:
            if check():
                return
        except (OSError, http.client.HTTPException, LookupError, ValueError, AssertionError) as error:
            last = error
        time.sleep(0.02)
    message = f"not within {seconds:g} s: {what}"
    raise AssertionError(f"{message} ({last!r})" if last else message)


def launch(command: str, config: Path, log: Path, *, mark: str = "") -> subprocess.Popen[bytes]:
    """Start a daemon in a session of its own, its output in `log`."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "sliceworks.cli", command, "--config", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, MARK: mark},
            start_new_session=True,
        )


def write_config(path: Path, **settings: Any) -> Path:
    """A TOML file; a dict becomes a table."""
    tables = {key: value for key, value in settings.items() if isinstance(value, dict)}
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items() if key not in tables]
    for name, table in tables.items():
        lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    path.write_text("\n".join(lines) + "\n")
    return path


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def marked_processes(mark: str) -> list[int]:
    """The living processes with this mark in their environment."""
    entry = f"{MARK}={mark}".encode()
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in pids if pid != os.getpid() and is_alive(pid) and entry in environment_of(pid)]


def environment_of(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def is_alive(pid: int) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
    except OSError:
        return ""


def tail(text: str, lines: int = 30) -> str:
    return "\n".join(text.splitlines()[-lines:])
