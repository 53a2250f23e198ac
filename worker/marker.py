"""One page of memory that a worker and its daemon share: it tells which slice a dead worker had in hand.

The worker writes it before each slice, the daemon reads it when the worker is dead; a death leaves the page
as it was.  The mark stays until the result is on its way: a worker that dies between the end of a slice and
its result has lost that slice.  Layout: start of the slice (8 bytes, ms since the epoch), its seq (8 bytes,
0: none), the place of the running operation + 1 (1 byte, written by the chain), and, 8 bytes on, the start
once more (8 bytes, ms of the monotonic clock, which all processes of a host share).
"""

from __future__ import annotations

import mmap
import os
import socket
import struct
from collections.abc import MutableSequence
from typing import Final, NamedTuple, cast

from sliceworks.protocol.errors import PeerError

PAGE_BYTES: Final = mmap.PAGESIZE
_MARK: Final = struct.Struct("<QQB7xQ")
_OPERATION_AT: Final = 16


class InHand(NamedTuple):
    """What a worker was doing; `seq` 0: nothing."""

    started_ms: int
    seq: int
    operation: int  # its place in the job + 1; 0: between operations
    begun_ms: int = 0  # monotonic


class Marker:
    """The page; both sides have one, on the same memory."""

    def __init__(self, descriptor: int) -> None:
        self._page = mmap.mmap(descriptor, PAGE_BYTES)
        self._operation = memoryview(self._page)[_OPERATION_AT : _OPERATION_AT + 1]

    @property
    def operation(self) -> MutableSequence[int]:
        """One byte, for the chain."""
        return cast("MutableSequence[int]", self._operation)  # item assignment is all that it is used for

    def begin(self, seq: int, started_ms: int, begun_ms: int = 0) -> None:
        """A slice is about to be run; `begun_ms` is monotonic."""
        _MARK.pack_into(self._page, 0, started_ms, seq, 0, begun_ms)

    def clear(self) -> None:
        """Nothing is in hand that the daemon does not know the result of."""
        _MARK.pack_into(self._page, 0, 0, 0, 0, 0)

    def read(self) -> InHand:
        """What is, or was, in hand."""
        return InHand(*_MARK.unpack_from(self._page, 0))

    def close(self) -> None:
        """Give the memory back."""
        self._operation.release()
        self._page.close()


def make_page() -> int:
    """The descriptor of a new page, all zeros; the caller closes it."""
    descriptor = os.memfd_create("sliceworks-marker", os.MFD_CLOEXEC)
    os.ftruncate(descriptor, PAGE_BYTES)
    return descriptor


def send_page(sock: socket.socket, page: int, stderr: int) -> None:
    """Hand page and stderr to the worker, first of all on its socket; BlockingIOError: not now, try again."""
    socket.send_fds(sock, [b"m"], [page, stderr])


def receive_page(sock: socket.socket) -> tuple[Marker, int]:
    """The worker's side: the page, and what is to be its stderr; PeerError if something else came."""
    _, descriptors, _, _ = socket.recv_fds(sock, 1, 2, socket.MSG_CMSG_CLOEXEC)
    if len(descriptors) != 2:
        message = "the daemon ended before it sent the marker page"
        raise PeerError(message)
    page, stderr = descriptors
    marker = Marker(page)
    os.close(page)
    return marker, stderr
