"""The process behind a ForkServer: forks children that start warm, and reports their ends.

It has one thread, no event loop, no lock and no listening socket, because whatever a process holds when it
forks, its child holds too.  It has imported what the children need, so that a child starts in milliseconds.
It lives as long as its control socket: at the end of that it exits, and leaves its children alone.

Control packets are messages of their own (SOCK_SEQPACKET, one message each); descriptors travel beside them.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, NoReturn, TypeAlias

from msgspec import Struct

from sliceworks.protocol.codec import Decoder, encode
from sliceworks.protocol.process import die_with_parent, identity_of, set_child_subreaper

PACKET_BYTES: Final = 64 * 1024
LENGTH_BYTES: Final = 8
_STANDARD_STREAMS: Final = 3

Target: TypeAlias = Callable[[socket.socket, bytes], int]


class Fork(Struct, array_like=True, frozen=True, tag=1):
    """Fork a child that runs `target`; beside it travels the child's end of its socketpair."""

    request_id: int
    target: str


class Ready(Struct, array_like=True, frozen=True, tag=2):
    """The module is imported; `pid` is the server's."""

    pid: int


class Failed(Struct, array_like=True, frozen=True, tag=3):
    """The module cannot be imported; the server ends."""

    error: str


class Forked(Struct, array_like=True, frozen=True, tag=4):
    """The child exists; its pidfd travels beside this."""

    request_id: int
    pid: int
    start_time: int


class NotForked(Struct, array_like=True, frozen=True, tag=5):
    """There is no child."""

    request_id: int
    error: str


class Exited(Struct, array_like=True, frozen=True, tag=6):
    """The child has ended and is reaped; one of the two is set."""

    pid: int
    exit_code: int | None
    signal: int | None


FromServer: TypeAlias = Ready | Failed | Forked | NotForked | Exited


class ControlClosed(Exception):  # noqa: N818 - the normal end of a server
    """The owner of the server is gone."""


def main(arguments: list[str]) -> int:
    """Run an exec'ed server: module, control descriptor, PYTHONPATH of the children (may be "")."""
    module, descriptor, python_path = arguments
    os.environ.pop("PYTHONPATH", None)
    if python_path:
        os.environ["PYTHONPATH"] = python_path
    run(socket.socket(fileno=int(descriptor)), module)
    return 0


def run_here(control: socket.socket, module: str) -> NoReturn:
    """Be a server, just forked from a process that goes on: dies with it, keeps none of its descriptors."""
    try:
        die_with_parent()
        gc.collect()  # what nobody refers to must not close a descriptor's number after it is in use again
        _close_all_but(control.fileno())
        run(control, module)
    except BaseException:  # noqa: BLE001 - a forked copy must never unwind into its parent's frames
        traceback.print_exc()
    finally:
        os._exit(0)


def run(control: socket.socket, module: str) -> None:
    """Import, say so, and fork on request until the control socket is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    set_child_subreaper()
    with contextlib.suppress(ControlClosed):
        try:
            targets = importlib.import_module(module).TARGETS
        except Exception:  # noqa: BLE001 - whatever the import raises is told to the owner
            _tell(control, Failed(traceback.format_exc()[-PACKET_BYTES // 2 :]))
            return
        gc.collect()
        gc.freeze()
        _Server(control, targets).serve()


class _Server:
    """The loop of a server: requests on one side, ended children on the other."""

    def __init__(self, control: socket.socket, targets: Mapping[str, Target]) -> None:
        self._control = control
        self._targets = targets
        self._decoder: Decoder[Fork] = Decoder(Fork, PACKET_BYTES)
        self._children: set[int] = set()
        self._wake_read, self._wake_write = socket.socketpair()

    def serve(self) -> None:
        """Until the control socket is closed, which raises ControlClosed."""
        self._wake_read.settimeout(0)
        self._wake_write.settimeout(0)
        signal.set_wakeup_fd(self._wake_write.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        _tell(self._control, Ready(os.getpid()))
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ, self._fork)
            selector.register(self._wake_read, selectors.EVENT_READ, self._reap)
            try:
                while True:
                    for key, _ in selector.select():
                        key.data()
            finally:
                signal.set_wakeup_fd(-1)  # children may well end after its socket is closed

    def _fork(self) -> None:
        try:
            packet, descriptors, _, _ = socket.recv_fds(
                self._control, PACKET_BYTES, 1, socket.MSG_CMSG_CLOEXEC
            )
        except OSError as error:
            raise ControlClosed from error
        if not packet:
            raise ControlClosed
        request = self._decoder.decode(packet)
        with socket.socket(fileno=descriptors[0]) as sock:
            target = self._targets.get(request.target)
            if target is None:
                self._refuse(request, f"there is no target {request.target!r} in this fork server")
                return
            try:
                pid = os.fork()
            except OSError as error:
                self._refuse(request, f"cannot fork: {error}")
                return
            if pid == 0:
                _be_child(sock, target)
        self._report(request, pid)

    def _report(self, request: Fork, pid: int) -> None:
        self._children.add(pid)
        identity = identity_of(pid)  # not reaped yet, so the pid is still this child's; None: dead already
        pidfd = os.pidfd_open(pid)
        try:
            forked = Forked(request.request_id, pid, identity.start_time if identity else 0)
            _tell(self._control, forked, [pidfd])
        finally:
            os.close(pidfd)

    def _refuse(self, request: Fork, error: str) -> None:
        _tell(self._control, NotForked(request.request_id, error))

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake_read.recv(PACKET_BYTES)
        for pid, status in _ended():
            if pid not in self._children:
                continue  # an orphan that a child left behind: reaped, of no interest
            self._children.discard(pid)
            code = os.waitstatus_to_exitcode(status)
            _tell(self._control, Exited(pid, *((code, None) if code >= 0 else (None, -code))))


def _ended() -> Iterable[tuple[int, int]]:
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            yield pid, status


def _tell(control: socket.socket, message: Struct, descriptors: list[int] | None = None) -> None:
    try:
        socket.send_fds(control, [encode(message)], descriptors or [])
    except OSError as error:
        raise ControlClosed from error


def _be_child(sock: socket.socket, target: Target) -> NoReturn:
    """The child's whole life; never returns, so no frame or `finally` of the server runs in it."""
    exit_code = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        _close_all_but(sock.fileno())
        payload = _read_payload(sock)
        if payload is not None:
            exit_code = target(sock, payload)
    except SystemExit as end:
        exit_code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - the end of a process: everything is reported, nothing unwinds
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(exit_code & 0xFF)


def _read_payload(sock: socket.socket) -> bytes | None:
    """What the child was given; None if whoever asked for the child gave up."""
    try:
        length = _read_exactly(sock, LENGTH_BYTES)
        return _read_exactly(sock, int.from_bytes(length, "little"))
    except (EOFError, ConnectionError):
        return None


def _read_exactly(sock: socket.socket, count: int) -> bytes:
    taken = bytearray(count)
    view = memoryview(taken)
    while view:
        got = sock.recv_into(view)
        if got == 0:
            raise EOFError
        view = view[got:]
    return bytes(taken)


def _close_all_but(keep: int) -> None:
    """Close every descriptor but the standard streams and `keep`."""
    for entry in list(Path("/proc/self/fd").iterdir()):
        descriptor = int(entry.name)
        if descriptor >= _STANDARD_STREAMS and descriptor != keep:
            with contextlib.suppress(OSError):  # the one that listed the folder is gone by now
                os.close(descriptor)
