"""Processes of this machine: who they are, waiting for their death, and ending them for certain.

A pid alone is never trusted: it may belong to somebody else by now.  Before a signal is sent, the process is
pinned by a pidfd and its start time is compared.  Linux only.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_libc: Final = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Identity:
    """A process of one boot of one machine; no two processes share it."""

    pid: int
    start_time: int  # clock ticks since boot, as in /proc/<pid>/stat
    boot_id: str


class _Forker:
    """Which process forked this one; 0 in a process that was exec'ed."""

    about_to_fork: int = 0
    parent: int = 0

    @classmethod
    def before(cls) -> None:
        cls.about_to_fork = os.getpid()

    @classmethod
    def after_in_child(cls) -> None:
        cls.parent = cls.about_to_fork


os.register_at_fork(before=_Forker.before, after_in_child=_Forker.after_in_child)


def identity_of(pid: int) -> Identity | None:
    """Who has this pid now; None if nobody has, or only a zombie."""
    fields = _stat_fields(pid)
    if fields is None or fields[0] in ("Z", "X"):
        return None
    return Identity(pid=pid, start_time=int(fields[19]), boot_id=_boot_id())


def is_alive(identity: Identity) -> bool:
    """Whether that very process still runs; a zombie does not."""
    return identity_of(identity.pid) == identity


async def wait_dead(pidfd: int) -> None:
    """Wait until the process behind `pidfd` has ended, reaped or not; the descriptor stays the caller's."""
    loop = asyncio.get_running_loop()
    dead = asyncio.Event()
    watched = os.dup(pidfd)  # a descriptor of our own: a loop has one reader for each
    try:
        loop.add_reader(watched, dead.set)
        await dead.wait()
    finally:
        loop.remove_reader(watched)
        os.close(watched)


async def end_process(identity: Identity, *, grace_seconds: float) -> None:
    """End that process: SIGTERM, after the grace SIGKILL (grace 0: at once); returns when it is dead."""
    with _pinned(identity) as pidfd:
        if pidfd is None:
            return
        if grace_seconds > 0:
            _send(pidfd, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace_seconds):
                    await wait_dead(pidfd)
                    return
        _send(pidfd, signal.SIGKILL)
        await wait_dead(pidfd)


def kill_group(pid: int) -> None:
    """SIGKILL the process group that `pid` leads; no error if nothing of it is left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def set_child_subreaper() -> None:
    """Orphans among our descendants become our children instead of init's, so that none escapes."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """Be killed when the thread that forked us ends; exits at once if the parent is gone already."""
    before = _Forker.parent or os.getppid()
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != before:
        os._exit(1)


def set_oom_score_adj(score: int) -> None:
    """Make this process likelier (positive) to be killed when memory is short; a refusal is no error."""
    with contextlib.suppress(OSError):
        (_PROC / "self" / "oom_score_adj").write_text(str(score))


def sweep(variable: str, keep_value: str) -> list[int]:
    """SIGKILL what earlier incarnations left: processes with `variable=<owner>:<another incarnation>`.

    `keep_value` is `<owner>:<incarnation>`; others' processes are left alone.  Returns the killed pids.
    """
    owner = f"{variable}={keep_value.partition(':')[0]}:".encode()
    keep = f"{variable}={keep_value}".encode()
    killed = []
    for pid in _pids():
        if pid == os.getpid():
            continue
        with contextlib.suppress(OSError), _pidfd(pid) as pidfd:
            environment = (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
            if any(entry.startswith(owner) and entry != keep for entry in environment):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                killed.append(pid)
    return killed


def _stat_fields(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat from the state on; the name before may hold blanks and brackets."""
    try:
        return (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None


def _boot_id() -> str:
    return (_PROC / "sys" / "kernel" / "random" / "boot_id").read_text().strip()


def _pids() -> list[int]:
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]


@contextlib.contextmanager
def _pidfd(pid: int) -> Iterator[int]:
    descriptor = os.pidfd_open(pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _pinned(identity: Identity) -> Iterator[int | None]:
    """A pidfd of exactly that process; None if it is gone."""
    with contextlib.ExitStack() as stack:
        try:
            pidfd = stack.enter_context(_pidfd(identity.pid))
        except ProcessLookupError:
            yield None
            return
        yield pidfd if is_alive(identity) else None


def _send(pidfd: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, number)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
