"""What processes asked of the kernel, from a trace of `strace`: writes, syncs, what was sent and received.

Calls of many threads are interleaved: each has a place where it began and one where it ended, and `in_order`
gives both, so that it can be said what was on disk at the instant when a byte left.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

CALLS = "pwrite64,write,sendto,sendmsg,writev,read,recvfrom,fdatasync,fsync,ftruncate,unlink"
LONGEST_BYTES = 8_000_000

_LINE = re.compile(r"^(\d+)\s+(.*)$")
_UNFINISHED = re.compile(r"^(.*?) ?<unfinished \.\.\.>$")
_RESUMED = re.compile(r"^<\.\.\. \w+ resumed>(.*)$")
_CALL = re.compile(r"^(\w+)\((.*)\)\s+= (-?\d+|\?)")
_FILE = re.compile(r"^\d+<((?:\\x2f)(?:\\x[0-9a-f]{2})*)>")
_STREAM = re.compile(r"^\d+<(TCP:\[[^\]]*\])>")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


@dataclass(frozen=True)
class Began:
    """A call of this number has begun; its end comes later."""

    number: int


@dataclass(frozen=True)
class Wrote:
    """Bytes went to a file, and may be on its disk or not."""

    path: str
    offset: int
    data: bytes


@dataclass(frozen=True)
class Truncated:
    """A file was cut."""

    path: str
    size: int


@dataclass(frozen=True)
class Unlinked:
    """A file is gone."""

    path: str


@dataclass(frozen=True)
class Synced:
    """What was written to a file before call `number` began is on its disk."""

    path: str
    number: int


@dataclass(frozen=True)
class Sent:
    """Bytes left on a connection."""

    pid: int
    connection: str
    data: bytes


@dataclass(frozen=True)
class Received:
    """Bytes were read from a connection."""

    pid: int
    connection: str
    data: bytes


Event: TypeAlias = Began | Wrote | Truncated | Unlinked | Synced | Sent | Received


def available() -> bool:
    """Whether calls can be traced here."""
    return shutil.which("strace") is not None


@contextlib.contextmanager
def traced(pids: list[int], output: Path) -> Iterator[None]:
    """Trace these processes, and all that they fork, while the block runs."""
    targets = [argument for pid in pids for argument in ("-p", str(pid))]
    options = ["-f", "-yy", "-xx", "-s", str(LONGEST_BYTES), "-e", f"trace={CALLS}", "-e", "signal=none"]
    tracer = subprocess.Popen(
        ["strace", *options, "-o", str(output), *targets], stderr=subprocess.PIPE, text=True
    )
    assert tracer.stderr is not None
    try:
        seen = 0
        while seen < len(pids):
            line = tracer.stderr.readline()
            assert line, "strace ended"
            seen += " attached" in line
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.communicate()


def in_order(trace: Path) -> Iterator[Event]:
    """What happened, one thing after the other; what leaves, leaves when its call begins."""
    begun: dict[int, tuple[int, str]] = {}
    number = 0
    with trace.open() as lines:
        for line in lines:
            matched = _LINE.match(line.rstrip("\n"))
            if not matched:
                continue
            pid, text = int(matched[1]), matched[2]
            if cut := _UNFINISHED.match(text):
                number += 1
                begun[pid] = (number, cut[1])
                yield Began(number)
                yield from _leaving(pid, cut[1])
            elif rest := _RESUMED.match(text):
                own, first = begun.pop(pid, (0, ""))
                if own:
                    yield from _ended(pid, own, first + rest[1])
            else:
                number += 1
                yield Began(number)
                yield from _leaving(pid, text)
                yield from _ended(pid, number, text)


def _leaving(pid: int, text: str) -> Iterator[Event]:
    name, _, arguments = text.partition("(")
    stream = _STREAM.match(arguments)
    if stream and name in ("write", "sendto", "sendmsg", "writev"):
        data = b"".join(_bytes(part) for part in _TEXT.findall(arguments))
        yield Sent(pid, stream[1], data)


def _ended(pid: int, number: int, text: str) -> Iterator[Event]:
    call = _CALL.match(text)
    if not call or call[3] == "?" or int(call[3]) < 0:
        return
    name, arguments, result = call[1], call[2], int(call[3])
    file, stream = _FILE.match(arguments), _STREAM.match(arguments)
    path = _bytes(file[1]).decode() if file else ""
    if name == "pwrite64" and file:
        data = _bytes(_TEXT.findall(arguments)[0])
        assert len(data) == result, "the trace cut a write short"
        yield Wrote(path, int(arguments.rpartition(",")[2]), data)
    elif name in ("fdatasync", "fsync") and file:
        yield Synced(path, number)
    elif name == "ftruncate" and file:
        yield Truncated(path, int(arguments.rpartition(",")[2]))
    elif name == "unlink":
        yield Unlinked(_bytes(_TEXT.findall(arguments)[0]).decode())
    elif name in ("read", "recvfrom") and stream and result:
        yield Received(pid, stream[1], _bytes(_TEXT.findall(arguments)[0]))


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
