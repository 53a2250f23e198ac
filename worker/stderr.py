"""What a worker writes to stderr, its log included: passed on, and its end kept for the obituary.

The worker's stderr is a pipe that the daemon empties as it fills.  Nothing here can stop a worker: what its
Python code writes while the pipe is full is lost.  What the daemon keeps of it is bounded in lines and bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import io
import os
import sys
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import orjson
import structlog

from sliceworks.protocol.clock import Clock
from sliceworks.protocol.log import Style

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

TAIL_LINES: Final = 50
TAIL_BYTES: Final = 8_192
LINES_PER_SECOND: Final = 500  # that are passed on for one worker
_READ_BYTES: Final = 16_384  # a flood of lines must leave time for slices
_LAST_READS: Final = 64  # a pipe holds 1 MB at most, unless somebody goes on writing
_STDERR: Final = 2

log = structlog.get_logger(__name__)


class Tail:
    """The last lines of a stream of bytes; a line that is too long is cut in pieces."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._lines: deque[bytes] = deque(maxlen=TAIL_LINES)
        self._kept_bytes = 0
        self._open = b""

    @property
    def text(self) -> str:
        """What is kept."""
        return "\n".join(_text(line) for line in self._lines)

    def add(self, data: bytes) -> None:
        """More of the stream."""
        *lines, self._open = (self._open + data).split(b"\n")
        for line in lines:
            self._end_line(line)
        while len(self._open) > TAIL_BYTES:
            self._end_line(self._open[:TAIL_BYTES])
            self._open = self._open[TAIL_BYTES:]

    def end(self) -> None:
        """The stream is over: what has no line feed is a line, too."""
        if self._open:
            self._end_line(self._open)
        self._open = b""

    def _end_line(self, line: bytes) -> None:
        if not line.strip():
            return
        if len(self._lines) == TAIL_LINES:
            self._kept_bytes -= len(self._lines.popleft())
        kept = line[-TAIL_BYTES:]
        self._lines.append(kept)
        self._kept_bytes += len(kept)
        while self._kept_bytes > TAIL_BYTES:
            self._kept_bytes -= len(self._lines.popleft())
        self._on_line(_text(line))


class WorkerStderr:
    """The daemon's end of a worker's stderr; made inside a running loop, ended by `close`."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._tail = Tail(on_line)
        self._loop = asyncio.get_running_loop()
        self._read_end, self.write_end = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._read_end, False)
        self._loop.add_reader(self._read_end, self._read)
        self._is_open = True

    def close(self) -> str:
        """Read what is left without waiting; the last lines."""
        if self._is_open:
            self._is_open = False
            self._loop.remove_reader(self._read_end)
            with contextlib.suppress(BlockingIOError):
                for _ in range(_LAST_READS):
                    if not self._take():
                        break
            self._tail.end()
            os.close(self._read_end)
            self.handed_over()
        return self._tail.text

    def handed_over(self) -> None:
        """The worker has the write end: this process has none any more, so that the pipe can end."""
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            if not self._take():
                self._loop.remove_reader(self._read_end)

    def _take(self) -> bool:
        data = os.read(self._read_end, _READ_BYTES)
        self._tail.add(data)
        return bool(data)


def style_for_worker(style: Style) -> Style:
    """How a worker writes its log: as this process does, though its stderr is a pipe."""
    if style == "auto":
        return "console" if sys.stderr.isatty() else "json"
    return style


class Relay:
    """Writes a worker's lines to our own stderr, so that each says which worker it is from.

    A flood of lines is cut: of each second the first ones pass, the others are counted, and that is told.
    """

    def __init__(self, *, style: Style, ex_id: str, worker_id: int, clock: Clock) -> None:
        self._style = style
        self._ex_id = ex_id
        self._worker_id = worker_id
        self._clock = clock
        self._second = 0
        self._passed = 0
        self._left_out = 0

    def take(self, line: str) -> None:
        """A line of the worker."""
        second = self._clock.monotonic_ms() // 1_000
        if second != self._second:
            self._second, self._passed = second, 0
            self.tell_left_out()
        self._passed += 1
        if self._passed > LINES_PER_SECOND:
            self._left_out += 1
        else:
            self._pass_on(line)

    def tell_left_out(self) -> None:
        """Say how much was not written, if anything."""
        if self._left_out:
            worker = {"ex_id": self._ex_id, "worker_id": self._worker_id}
            log.warning("worker_stderr_cut", **worker, lines_left_out=self._left_out)
        self._left_out = 0

    def _pass_on(self, line: str) -> None:
        if self._style == "console":
            _write(f"worker {self._worker_id} of {self._ex_id}: {line}")
        elif _is_log_line(line):
            _write(line)
        else:
            # what has no level must not be hidden by one
            log.warning("worker_stderr", ex_id=self._ex_id, worker_id=self._worker_id, text=line)


def adopt_stderr(descriptor: int) -> None:
    """In the worker: make this stderr.  A crash of Python itself (SIGSEGV, say) leaves a traceback there."""
    os.dup2(descriptor, _STDERR)
    os.close(descriptor)
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(_Lossy()), encoding="utf-8", errors="backslashreplace", line_buffering=True
    )
    faulthandler.enable(_STDERR)


class _Lossy(io.RawIOBase):
    """Stderr without waiting: an open file of its own, as children that inherit descriptor 2 may wait."""

    def __init__(self) -> None:
        self._descriptor = os.open(f"/proc/self/fd/{_STDERR}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def writable(self) -> bool:
        """See `RawIOBase`."""
        return True

    def fileno(self) -> int:
        """See `RawIOBase`."""
        return _STDERR

    def write(self, data: ReadableBuffer, /) -> int:
        """See `RawIOBase`; what does not fit is lost."""
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:
            return memoryview(data).nbytes


def _is_log_line(line: str) -> bool:
    """Whether it is one of our own log, which names the worker itself."""
    if not line.startswith("{"):
        return False
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return isinstance(fields, dict) and "event" in fields and "worker_id" in fields


def _write(line: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip()
