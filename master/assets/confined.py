"""Running strangers' code once: little memory, little time, and nobody left behind.

The process that is asked forks another one for the code, and outlives it: it ends whatever the code has
started, also what left its process group, because orphans below it become its own children.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from sliceworks.protocol.process import (
    die_with_parent,
    identity_of,
    kill_group,
    set_child_subreaper,
    set_oom_score_adj,
)

MAX_ANSWER_BYTES: Final = 2 * 1024 * 1024
_READ_BYTES: Final = 64 * 1024
_LAST_STREAM: Final = 2
_FIRST_TO_KILL: Final = 1_000
_ANSWERED: Final = 87
"""The exit code of a child that gave its answer; strangers' code that ends its process will hardly say so."""

_BY_LIMITS: Final = (signal.SIGKILL, signal.SIGXCPU)
_FORKS: Final = frozenset({"os.fork", "os.forkpty"})


@dataclass(frozen=True, slots=True)
class Confinement:
    """What strangers' code may use."""

    seconds: float
    memory_bytes: int
    file_bytes: int
    folder: Path
    """Where it works, and where its temporary files go."""


class ConfinedError(Exception):
    """The code gave no answer; the text says why, beginning with a verb."""


def run_confined(work: Callable[[], bytes], confinement: Confinement) -> bytes:
    """What `work` returns, run in a child of this process; ConfinedError."""
    set_child_subreaper()
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        _be_confined(work, write, confinement)
    os.close(write)
    with _closed(read), _closed(os.pidfd_open(pid)) as pidfd:
        answer, is_dead = _read_until_dead(read, pidfd, time.monotonic() + confinement.seconds)
        trouble = _end_all(pid)
    if not is_dead:
        trouble = f"takes longer than {confinement.seconds:g} seconds"
    if trouble or not answer:
        raise ConfinedError(trouble or "gives no answer")
    return answer


def _be_confined(work: Callable[[], bytes], write: int, confinement: Confinement) -> NoReturn:
    """The child's whole life."""
    own = os.getpid()
    try:
        die_with_parent()
        _close_all_but(write)
        os.setpgid(0, 0)
        _confine(confinement)
        answer = work()
        if os.getpid() == own:  # and not a copy that the code has made
            _write_all(write, answer)
            os._exit(_ANSWERED)
    except BaseException:  # noqa: BLE001 - the end of a process: no answer is the answer
        os._exit(1)
    os._exit(0)


def _close_all_but(keep: int) -> None:
    for entry in list(Path("/proc/self/fd").iterdir()):
        descriptor = int(entry.name)
        if descriptor > _LAST_STREAM and descriptor != keep:
            with contextlib.suppress(OSError):  # the one that listed the folder is gone by now
                os.close(descriptor)


def _confine(confinement: Confinement) -> None:
    set_oom_score_adj(_FIRST_TO_KILL)
    os.chdir(confinement.folder)
    for name in [name for name in os.environ if name.startswith("SLICEWORKS_")]:
        del os.environ[name]  # they may hold the password of the store
    for name in ("HOME", "TMPDIR"):
        os.environ[name] = str(confinement.folder)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(_LAST_STREAM + 1):
        os.dup2(nowhere, stream)
    sys.dont_write_bytecode = True
    seconds = int(confinement.seconds) + 1
    memory_bytes = _mapped_bytes() + confinement.memory_bytes
    for kind, limit in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, confinement.file_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (limit, limit))
    sys.addaudithook(_refuse_forks)


def _refuse_forks(event: str, _: tuple[object, ...]) -> None:
    if event in _FORKS:
        message = "its import forks a process; start processes in initialize()"
        raise RuntimeError(message)


def _mapped_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def _write_all(descriptor: int, answer: bytes) -> None:
    view = memoryview(answer)
    while view:
        view = view[os.write(descriptor, view) :]


@contextlib.contextmanager
def _closed(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _read_until_dead(read: int, pidfd: int, deadline: float) -> tuple[bytes, bool]:
    """What is written until the writer is dead, and whether it was in time."""
    os.set_blocking(read, False)
    answer = bytearray()
    waiting = [read, pidfd]
    while len(answer) <= MAX_ANSWER_BYTES:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        ready = select.select(waiting, [], [], left)[0]
        if read in ready:
            chunk = _read_some(read)
            answer += chunk
            waiting = waiting if chunk else [pidfd]  # the end: only death is left to wait for
        elif pidfd in ready:
            return bytes(answer), True
    return b"", False


def _read_some(read: int) -> bytes:
    try:
        return os.read(read, _READ_BYTES)
    except BlockingIOError:
        return b""


def _end_all(pid: int) -> str:
    """Kill everything below this process; what is to be said of how the first one, `pid`, ended."""
    left = [child for child in _children() if child != pid and identity_of(child)]
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    kill_group(pid)
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(ChildProcessError):
        while True:
            for child in _children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            os.waitpid(-1, 0)
    return "leaves processes behind that it has started" if left else _trouble(status)


def _children() -> list[int]:
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def _trouble(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"ends its process with exit code {code}" if code != _ANSWERED else ""
    hint = ", perhaps because it takes too much memory or processor time" if -code in _BY_LIMITS else ""
    return f"is ended by {signal.Signals(-code).name}{hint}"
