"""One life of a fork server, seen by the daemon that uses it: its packets, and the children it has forked.

Everything arrives by callbacks of the loop, so no task has to live here.  When the server process dies, its
children may go on: their pidfds are watched from here until each is dead.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar, assert_never

from sliceworks.protocol import nursery
from sliceworks.protocol.codec import Decoder, encode
from sliceworks.protocol.errors import PeerError, UnavailableError
from sliceworks.protocol.process import Identity, end_process, identity_of

R = TypeVar("R")

END_SECONDS: Final = 5


class ForkServerError(UnavailableError):
    """No child: the fork server cannot start, or cannot fork."""


@dataclass(frozen=True, slots=True)
class ExitStatus:
    """How a child ended; at most one is set, none when the fork server died before it could tell."""

    exit_code: int | None
    signal: int | None


UNKNOWN_EXIT: Final = ExitStatus(None, None)


OnExit: TypeAlias = Callable[[ExitStatus], None]


class Life:
    """What is known of one child, and who wants to hear of its end."""

    def __init__(self, start_time: int) -> None:
        self.start_time = start_time
        self._on_exit: OnExit | None = None
        self._status: ExitStatus | None = None

    def report_to(self, on_exit: OnExit) -> None:
        self._on_exit = on_exit
        self._tell()

    def end(self, status: ExitStatus) -> None:
        self._status = status
        self._tell()

    def _tell(self) -> None:
        if self._on_exit and self._status:
            asyncio.get_running_loop().call_soon(self._on_exit, self._status)


@dataclass(frozen=True, slots=True)
class Forked:
    pid: int
    pidfd: int
    life: Life

    def drop(self) -> None:
        """Nobody wants this child: its socket is closed too, so it ends before it has begun."""
        os.close(self.pidfd)


@dataclass(frozen=True, slots=True)
class Launched:
    """A server process that may still be importing."""

    control: socket.socket
    identity: Identity | None  # known from the start if it was exec'ed
    process: subprocess.Popen[bytes] | None

    def reap(self, pid: int) -> None:
        """Take the zombie away, once the process is dead."""
        if self.process:
            self.process.wait()
            return
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


class NurseryLink:
    """One life of a server process: its packets, and the children it has forked."""

    def __init__(self, launched: Launched, orphans: Orphans) -> None:
        self.lost = False
        self._launched = launched
        self._control = launched.control
        self._identity = launched.identity
        self._orphans = orphans
        self._decoder: Decoder[nursery.FromServer] = Decoder(nursery.FromServer, nursery.PACKET_BYTES)
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._requests = 0
        self._pending: dict[int, asyncio.Future[Forked]] = {}
        self._lives: dict[int, Life] = {}

    @classmethod
    async def open(cls, launched: Launched, orphans: Orphans) -> NurseryLink:
        """The server, when it has imported its module."""
        server = cls(launched, orphans)
        server._control.settimeout(0)
        asyncio.get_running_loop().add_reader(server._control.fileno(), server._read)
        try:
            await server._ready
        except BaseException:
            await server.close()
            raise
        return server

    async def fork(self, target: str, sock: socket.socket) -> Forked:
        """Ask for one child."""
        self._requests += 1
        request = nursery.Fork(self._requests, target)
        reply: asyncio.Future[Forked] = asyncio.get_running_loop().create_future()
        self._pending[request.request_id] = reply
        try:
            socket.send_fds(self._control, [encode(request)], [sock.fileno()])
            return await reply
        except OSError as error:
            self._abandon()
            raise dead_server() from error
        except asyncio.CancelledError:
            if _has_result(reply):
                reply.result().drop()
            raise
        finally:
            self._pending.pop(request.request_id, None)

    async def close(self) -> None:
        """End the process: it ends by itself when its control socket is closed."""
        self._lose()
        if self._identity:
            await end_process(self._identity, grace_seconds=END_SECONDS)
            self._launched.reap(self._identity.pid)

    def _read(self) -> None:
        while not self.lost:
            try:
                packet, descriptors, _, _ = socket.recv_fds(
                    self._control, nursery.PACKET_BYTES, 1, socket.MSG_CMSG_CLOEXEC
                )
                message = self._decoder.decode(packet) if packet else None
            except BlockingIOError:
                return
            except (OSError, PeerError):
                message = None
            if message is None:
                self._abandon()
                return
            self._handle(message, descriptors)

    def _handle(self, message: nursery.FromServer, descriptors: list[int]) -> None:
        match message:
            case nursery.Ready(pid):
                self._identity = identity_of(pid)
                _settle(self._ready, None)
            case nursery.Failed(error):
                _refuse(self._ready, ForkServerError(f"the fork server cannot start: {error}"))
            case nursery.Forked(request_id, pid, start_time):
                self._lives[pid] = Life(start_time)
                self._deliver(request_id, Forked(pid, descriptors[0], self._lives[pid]))
            case nursery.NotForked(request_id, error):
                if reply := self._pending.get(request_id):
                    _refuse(reply, ForkServerError(error))
            case nursery.Exited(pid, exit_code, number):
                self._lives.pop(pid).end(ExitStatus(exit_code, number))
            case _:
                assert_never(message)

    def _deliver(self, request_id: int, forked: Forked) -> None:
        reply = self._pending.get(request_id)
        if reply is None or not _settle(reply, forked):
            forked.drop()

    def _abandon(self) -> None:
        """The process is dead: what was asked of it fails, and its children are watched from here."""
        self._lose()
        for pid, life in self._lives.items():
            self._orphans.watch(pid, life)
        self._lives.clear()

    def _lose(self) -> None:
        if self.lost:
            return
        self.lost = True
        asyncio.get_running_loop().remove_reader(self._control.fileno())
        self._control.close()
        _refuse(self._ready, dead_server())
        for reply in self._pending.values():
            _refuse(reply, dead_server())


class Orphans:
    """Children whose server died: their pidfds tell when they are dead, and hardly ever how."""

    def __init__(self) -> None:
        self._lives: dict[int, Life] = {}

    def watch(self, pid: int, life: Life) -> None:
        """Report the end of this child when it comes, or now."""
        identity = identity_of(pid)
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            life.end(UNKNOWN_EXIT)
            return
        self._lives[pidfd] = life
        if identity is None or identity.start_time != life.start_time:
            self._end(pidfd)
            return
        asyncio.get_running_loop().add_reader(pidfd, self._end, pidfd)

    def close(self) -> None:
        """Watch no more."""
        for pidfd in list(self._lives):
            self._forget(pidfd)

    def _end(self, pidfd: int) -> None:
        life = self._lives[pidfd]
        with contextlib.suppress(ChildProcessError):  # ours now only if we are a subreaper
            os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)
        self._forget(pidfd)
        life.end(UNKNOWN_EXIT)

    def _forget(self, pidfd: int) -> None:
        del self._lives[pidfd]
        asyncio.get_running_loop().remove_reader(pidfd)
        os.close(pidfd)


def dead_server() -> ForkServerError:
    return ForkServerError("the fork server died; the next spawn starts another one where that is possible")


def _settle(reply: asyncio.Future[R], result: R) -> bool:
    """Whether there was still somebody to take it."""
    if reply.done():
        return False
    reply.set_result(result)
    return True


def _refuse(reply: asyncio.Future[Any], error: ForkServerError) -> None:
    if not reply.done():
        reply.set_exception(error)
        reply.exception()  # whoever asked may have given up: then nobody reads it


def _has_result(reply: asyncio.Future[Any]) -> bool:
    return reply.done() and not reply.cancelled() and reply.exception() is None
