"""What the children of the fork server tests do."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final, NoReturn

from sliceworks.protocol import process
from sliceworks.protocol.forkserver import ExitStatus, ForkServer


def echo(sock: socket.socket, payload: bytes) -> int:
    """The payload, then whatever comes, until the daemon closes; exit code 7."""
    sock.sendall(payload)
    while data := sock.recv(65536):
        sock.sendall(data)
    return 7


def measure(sock: socket.socket, payload: bytes) -> int:
    sock.sendall(f"{len(payload)}".encode())
    return 0


def crash(sock: socket.socket, payload: bytes) -> int:
    message = f"crashed with {payload!r}"
    raise RuntimeError(message)


def leave(sock: socket.socket, payload: bytes) -> NoReturn:
    sys.exit(payload.decode() if payload else None)


def killed(sock: socket.socket, payload: bytes) -> int:
    os.kill(os.getpid(), signal.SIGSEGV)
    return 0


def facts(sock: socket.socket, payload: bytes) -> int:
    """What a child has inherited."""
    ignored = [
        number.name
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)
        if signal.getsignal(number) is not signal.SIG_DFL
    ]
    listed = list(Path("/proc/self/fd").iterdir())
    open_ones = [int(entry.name) for entry in listed if entry.exists() or entry.is_symlink()]
    found = {
        "ignored": ignored,
        "descriptors": [one for one in open_ones if one > 2 and one != sock.fileno()],
        "leads_session": os.getsid(0) == os.getpid(),
        "blocking": sock.getblocking(),
        "mark": os.environ.get("MARK"),
        "python_path": os.environ.get("PYTHONPATH"),
        "draw": random.random(),
    }
    sock.sendall(repr(found).encode())
    return 0


def die_with_server(sock: socket.socket, payload: bytes) -> int:
    process.die_with_parent()
    return echo(sock, b"ready")


def leave_orphan(sock: socket.socket, payload: bytes) -> int:
    """End before a process of one's own does; its pid goes to the daemon."""
    left = subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL)
    sock.sendall(f"{left.pid}".encode())
    left.returncode = 0  # not ours to wait for
    return 0


def controller(sock: socket.socket, payload: bytes) -> int:
    """A process that makes a nursery of its own and uses it from a loop, as execution controllers do."""
    control = ForkServer.fork_here("fork_targets")

    async def use_nursery() -> None:
        loop = asyncio.get_running_loop()
        status: asyncio.Future[ExitStatus] = loop.create_future()
        async with ForkServer.attach(control) as nursery:
            child = await nursery.spawn("measure", b"12345", on_exit=status.set_result)
            with child.sock:
                answer = await loop.sock_recv(child.sock, 100)
            os.close(child.pidfd)
            sock.sendall(f"{answer.decode()} {(await status).exit_code}".encode())

    asyncio.run(use_nursery())
    return 0


def orphaning_controller(sock: socket.socket, payload: bytes) -> int:
    """A controller that is killed: its nursery's child says when it dies by closing the pair."""
    control = ForkServer.fork_here("fork_targets")

    async def use_nursery() -> None:
        async with ForkServer.attach(control) as nursery:
            child = await nursery.spawn("die_with_server", b"", on_exit=lambda _: None)
            await asyncio.get_running_loop().sock_recv(child.sock, 100)
            sock.sendall(f"{child.pid}".encode())
            await asyncio.Event().wait()

    asyncio.run(use_nursery())
    return 0


TARGETS: Final = {
    function.__name__: function
    for function in (
        echo,
        measure,
        crash,
        leave,
        killed,
        facts,
        die_with_server,
        leave_orphan,
        controller,
        orphaning_controller,
    )
}
