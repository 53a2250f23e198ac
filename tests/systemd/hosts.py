"""Hosts with a systemd of their own, on this machine: an overlay over its root, a network namespace, nspawn.

Needs root and systemd-container.  Everything is made under one temporary folder and with names of our own,
and is gone when the context ends.  Hosts share the kernel and the clock, nothing else.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CGROUPS: Final = Path("/sys/fs/cgroup")
PATIENCE_SECONDS: Final = 30
PYTHON: Final = "/usr/bin/python3"  # users of services cannot run one that lives in somebody's home
REMOUNT: Final = """[Unit]
DefaultDependencies=no
Before=sysinit.target
ConditionPathIsDirectory=/sys/fs/cgroup/memory
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'for c in memory pids; do mount -o remount,bind,rw /sys/fs/cgroup/$c; done; true'
"""
SILENT: Final = (
    "getty@.service",
    "console-getty.service",
    "systemd-logind.service",
    "systemd-networkd.service",
)


class HostError(Exception):
    """A command on a host failed."""


def missing() -> str:
    """Why this machine cannot have such hosts; empty if it can."""
    if os.geteuid() != 0:
        return "needs root"
    absent = [name for name in ("systemd-nspawn", "nsenter", "ip") if not shutil.which(name)]
    if absent:
        return f"needs {', '.join(absent)}: apt-get install systemd-container iproute2"
    done = subprocess.run([PYTHON, "-c", "import venv, ensurepip"], check=False, capture_output=True)
    return "" if done.returncode == 0 else f"needs {PYTHON} with venv: apt-get install python3-venv"


@dataclass(frozen=True)
class Image:
    """A root file system that hosts are made from: this machine's own, with changes above it."""

    folder: Path

    @property
    def layers(self) -> str:
        """For the overlay of a host."""
        return f"{self.folder / 'up'}:/"

    @contextlib.contextmanager
    def mounted(self) -> Iterator[Path]:
        """Where its files can be changed; only as long as no host uses it."""
        with _overlay(self.folder, "/") as root:
            yield root

    def prepare(self, root: Path) -> None:
        """Make it a machine without a name, that starts nothing of this one."""
        listed = subprocess.run(
            ["systemctl", f"--root={root}", "list-unit-files", "--state=enabled", "--no-legend", "--plain"],
            check=True,
            capture_output=True,
            text=True,
        )
        enabled = [line.split()[0] for line in listed.stdout.splitlines()]
        units = [unit for unit in enabled if unit.endswith((".service", ".timer"))]
        _quietly("systemctl", f"--root={root}", "mask", *SILENT, *units)
        (root / "etc/machine-id").write_text("")
        (root / "etc/hostname").unlink(missing_ok=True)
        (root / "etc/systemd/system/remount.service").write_text(REMOUNT)
        _quietly("systemctl", f"--root={root}", "add-wants", "sysinit.target", "remount.service")


class Host:
    """One of them, running; made by `running_host`."""

    def __init__(self, name: str, address: str, boot: Callable[[], subprocess.Popen[bytes]]) -> None:
        self.name = name
        self.address = address
        self._boot = boot
        self._process = boot()

    @property
    def init(self) -> int:
        """Its process 1, as this machine sees it; 0 before it is there."""
        try:
            children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        except OSError:
            return 0
        return int((children.split() or ["0"])[0])

    def wait_booted(self) -> None:
        """HostError if it does not boot."""
        wait_until(lambda: self.init > 0, "the host has a process 1")
        wait_until(lambda: _is_up(self), "the host has booted")
        self.run("systemctl", "daemon-reexec")

    def lose_power(self) -> None:
        """All its processes are gone at once; then it boots again."""
        os.kill(self.init, signal.SIGKILL)
        self._process.wait(PATIENCE_SECONDS)
        self._process = self._boot()
        self.wait_booted()

    def power_off(self) -> None:
        """In order, if it can."""
        self._process.terminate()
        try:
            self._process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def try_run(self, *command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command on the host."""
        inside = ["nsenter", "-t", str(self.init), "-m", "-u", "-i", "-n", "-p", "-C"]
        return subprocess.run(
            [*inside, *command], input=stdin, check=False, text=True, capture_output=True, env=_environment()
        )

    def run(self, *command: str, stdin: str = "") -> str:
        """What it wrote to stdout; HostError if it failed."""
        done = self.try_run(*command, stdin=stdin)
        if done.returncode:
            text = (
                f"{self.name}: {' '.join(command)}: exit code {done.returncode}: {done.stderr}{done.stdout}"
            )
            raise HostError(text)
        return done.stdout.strip()

    def sh(self, script: str) -> str:
        """The same for a line of shell."""
        return self.run("sh", "-c", script)

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", "-P", name, unit)


@contextlib.contextmanager
def network(prefix: str, names: Sequence[str]) -> Iterator[dict[str, str]]:
    """Namespaces `<prefix><name>` on one bridge, which is in the first; yields the address of each."""
    first = f"{prefix}{names[0]}"
    addresses = {name: f"10.77.0.{number}" for number, name in enumerate(names, 1)}
    with contextlib.ExitStack() as stack:
        for name in names:
            _quietly("ip", "netns", "add", f"{prefix}{name}")
            stack.callback(_quietly, "ip", "netns", "del", f"{prefix}{name}")
            _quietly("ip", "-n", f"{prefix}{name}", "link", "set", "lo", "up")
        _quietly("ip", "-n", first, "link", "add", "eth0", "type", "bridge")
        for name in names[1:]:
            _quietly(
                *f"ip link add v{name} netns {first} type veth peer name eth0 netns {prefix}{name}".split()
            )
            _quietly("ip", "-n", first, "link", "set", f"v{name}", "master", "eth0", "up")
        for name in names:
            device = ["ip", "-n", f"{prefix}{name}"]
            _quietly(*device, "addr", "add", f"{addresses[name]}/24", "dev", "eth0")
            _quietly(*device, "link", "set", "eth0", "up")
        yield addresses


@contextlib.contextmanager
def running_host(image: Image, folder: Path, *, namespace: str, name: str, address: str) -> Iterator[Host]:
    """A host that has booted; powered off in the end."""
    with contextlib.ExitStack() as stack:
        root = stack.enter_context(_overlay(folder, image.layers))
        groups = stack.enter_context(_cgroups(namespace))
        join = " ".join(f"echo $$ > {group}/cgroup.procs;" for group in groups)
        nspawn = (
            f"systemd-nspawn -q --register=no --keep-unit --machine={name} --hostname={name} -D {root} "
            "--link-journal=no --resolv-conf=off --timezone=off --console=pipe "
            f"--network-namespace-path=/run/netns/{namespace} --boot"
        )
        console = stack.enter_context((folder / "console.log").open("wb"))
        command = ["sh", "-c", f"{join} exec {nspawn}"]

        def boot() -> subprocess.Popen[bytes]:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=console)

        host = Host(name, address, boot)
        stack.callback(host.power_off)
        host.wait_booted()
        yield host


@contextlib.contextmanager
def workspace() -> Iterator[Path]:
    """A folder in memory for images and hosts."""
    folder = Path(tempfile.mkdtemp(prefix="sliceworks-systemd-"))
    _quietly("mount", "-t", "tmpfs", "-o", "size=2g", "sliceworks-systemd", str(folder))
    try:
        yield folder
    finally:
        _quietly("umount", str(folder))
        folder.rmdir()


def wait_until(is_so: Callable[[], object], what: str, *, seconds: float = PATIENCE_SECONDS) -> None:
    """Look again and again; HostError in the end."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            message = f"this did not come about in {seconds:g} s: {what}"
            raise HostError(message)
        time.sleep(0.1)


def build_wheel(into: Path) -> None:
    """Of this tree."""
    _quietly(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(into))


def _is_up(host: Host) -> bool:
    return host.try_run("systemctl", "is-system-running").stdout.strip() in {"running", "degraded"}


@contextlib.contextmanager
def _overlay(folder: Path, layers: str) -> Iterator[Path]:
    for name in ("up", "work", "root"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    options = f"lowerdir={layers},upperdir={folder / 'up'},workdir={folder / 'work'}"
    _quietly("mount", "-t", "overlay", "overlay", "-o", options, str(folder / "root"))
    try:
        yield folder / "root"
    finally:
        _quietly("umount", str(folder / "root"))


@contextlib.contextmanager
def _cgroups(name: str) -> Iterator[list[Path]]:
    """Groups of its own in every hierarchy that systemd uses, else two hosts share them."""
    roots = [CGROUPS / kind for kind in ("unified", "systemd", "pids") if (CGROUPS / kind).is_dir()]
    if (CGROUPS / "memory").is_dir():
        entries = [line.split(":") for line in Path("/proc/self/cgroup").read_text().splitlines()]
        own = next(path for _, kinds, path in entries if kinds == "memory")
        roots.append(CGROUPS / "memory" / own.strip("/"))
    groups = [root / name for root in roots or [CGROUPS]]
    for group in groups:
        group.mkdir()
    try:
        yield groups
    finally:
        wait_until(lambda: all(_removed(group) for group in groups), "the host's cgroups are empty")


def _removed(group: Path) -> bool:
    """Whether it is gone; what has just ended in it may still be counted."""
    for folder, _, _ in os.walk(group, topdown=False):
        with contextlib.suppress(OSError):
            Path(folder).rmdir()
    return not group.exists()


def _environment() -> dict[str, str]:
    return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


def _quietly(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        message = f"{' '.join(command)}: {done.stderr or done.stdout}"
        raise HostError(message)
