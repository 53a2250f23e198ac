"""Children that start in milliseconds, forked by a process that holds nothing a child must not inherit.

A daemon has an event loop, sockets and locks; forking it would copy them.  So it asks a fork server
(`nursery.py`) to fork, and gets back the child's pidfd and its own end of a fresh socketpair.  A server that
dies is replaced at the next spawn; a nursery made by `fork_here` is not, because its imports came from the
process that forked it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sliceworks.protocol import nursery
from sliceworks.protocol.nursery_link import (
    ExitStatus,
    ForkServerError,
    Launched,
    NurseryLink,
    OnExit,
    Orphans,
    dead_server,
)
from sliceworks.protocol.process import identity_of

__all__ = ["Child", "ExitStatus", "ForkServer", "ForkServerError"]

SPAWNS_AT_ONCE: Final = 8  # the kernel queues 10 packets on such a socket by default: sending never blocks


@dataclass(frozen=True, slots=True)
class Child:
    """A forked child; `pidfd` and `sock` (our end of the pair, non-blocking) belong to who asked for it."""

    pid: int
    pidfd: int
    sock: socket.socket
    start_time: int


class ForkServer:
    """Spawns children of one module's TARGETS; obtained from `start` or `attach`.

    When its context ends the server process ends.  Children that still live then are not touched, and nothing
    is reported of them any more.
    """

    def __init__(self, launch: Callable[[], Launched]) -> None:
        self._launch = launch
        self._server: NurseryLink | None = None
        self._connecting = asyncio.Lock()
        self._slots = asyncio.Semaphore(SPAWNS_AT_ONCE)
        self._orphans = Orphans()

    @classmethod
    @contextlib.asynccontextmanager
    async def start(cls, module: str, *, env: Mapping[str, str] | None = None) -> AsyncIterator[ForkServer]:
        """Exec a server that imports `module`; `env` is added to this process's environment.

        ForkServerError with the traceback if the import fails.
        """
        async with cls(lambda: _exec_server(module, env or {})) as server:
            yield server

    @staticmethod
    def fork_here(module: str) -> socket.socket:
        """Fork a server that keeps what this process has imported; returns its control socket, for `attach`.

        Call it before this process has a thread or a loop.  The server dies with this process.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sys.stdout.flush()
        sys.stderr.flush()
        if os.fork() == 0:
            nursery.run_here(theirs, module)
        theirs.close()
        return ours

    @classmethod
    @contextlib.asynccontextmanager
    async def attach(cls, control: socket.socket) -> AsyncIterator[ForkServer]:
        """Use the server that `fork_here` made; once it is dead every spawn raises."""
        controls = [control]
        async with cls(lambda: _forked_server(controls)) as server:
            yield server

    async def __aenter__(self) -> ForkServer:
        await self._living_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._orphans.close()
        if self._server:
            await self._server.close()

    async def spawn(self, target: str, payload: bytes, *, on_exit: OnExit) -> Child:
        """Fork a child that runs TARGETS[target](its end of the pair, payload).

        `on_exit` is called by the loop exactly once, after this has returned.  ForkServerError if there is no
        child; a cancelled or failed spawn leaves none behind, and reports nothing.
        """
        async with self._slots:
            server = await self._living_server()
            with contextlib.ExitStack() as undo:
                ours, theirs = socket.socketpair()
                undo.callback(ours.close)
                with theirs:
                    forked = await server.fork(target, theirs)
                undo.callback(forked.drop)
                ours.settimeout(0)
                await _write_payload(ours, payload)
                undo.pop_all()
        forked.life.report_to(on_exit)
        return Child(forked.pid, forked.pidfd, ours, forked.life.start_time)

    async def _living_server(self) -> NurseryLink:
        async with self._connecting:
            if self._server is None or self._server.lost:
                if self._server:
                    await self._server.close()
                self._server = await NurseryLink.open(self._launch(), self._orphans)
            return self._server


def _exec_server(module: str, env: Mapping[str, str]) -> Launched:
    """A server with an interpreter of its own that finds modules where this one does."""
    control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    python_path = os.environ.get("PYTHONPATH", "")
    search = os.pathsep.join(entry for entry in sys.path if entry)
    descriptor = str(theirs.fileno())
    arguments = ["-P", "-m", "sliceworks.protocol.forkserver", module, descriptor, python_path]
    with theirs:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env={**os.environ, **env, "PYTHONPATH": search},
            start_new_session=True,
        )
    return Launched(control, identity_of(process.pid), process)


def _forked_server(controls: list[socket.socket]) -> Launched:
    if not controls:
        raise dead_server()
    return Launched(controls.pop(), None, None)


async def _write_payload(sock: socket.socket, payload: bytes) -> None:
    """Hand over what the child starts with; a child that is dead by now is told of by its exit, not here."""
    length = len(payload).to_bytes(nursery.LENGTH_BYTES, "little")
    with contextlib.suppress(ConnectionError):
        await asyncio.get_running_loop().sock_sendall(sock, length + payload)


if __name__ == "__main__":
    sys.exit(nursery.main(sys.argv[1:]))
