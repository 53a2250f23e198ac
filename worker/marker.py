"""One page of memory that a worker and its daemon share: it tells which slice a dead worker had in hand.

The worker writes it before each slice, the daemon reads it when the worker is dead; a death leaves the page
as it was.  The mark stays until the result is on its way: a worker that dies between the end of a slice and
its result has lost that slice.  Layout: start of the slice (8 bytes, ms since the epoch), its seq (8 bytes,
0: none), and the place of the running operation + 1 (1 byte, written by the chain).
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
_MARK: Final = struct.Struct("<QQB")
_OPERATION_AT: Final = 16


class InHand(NamedTuple):
    """What a worker was doing; `seq` 0: nothing."""

    started_ms: int
    seq: int
    operation: int  # its place in the job + 1; 0: between operations


class Marker:
    """The page; both sides have one, on the same memory."""

    def __init__(self, descriptor: int) -> None:
        self._page = mmap.mmap(descriptor, PAGE_BYTES)
        self._operation = memoryview(self._page)[_OPERATION_AT : _OPERATION_AT + 1]

    @property
    def operation(self) -> MutableSequence[int]:
        """One byte, for the chain."""
        return cast("MutableSequence[int]", self._operation)  # item assignment is all that it is used for

    def begin(self, seq: int, started_ms: int) -> None:
        """A slice is about to be run."""
        _MARK.pack_into(self._page, 0, started_ms, seq, 0)

    def clear(self) -> None:
        """Nothing is in hand that the daemon does not know the result of."""
        _MARK.pack_into(self._page, 0, 0, 0, 0)

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


def send_page(sock: socket.socket, descriptor: int) -> None:
    """Hand the page to the worker, as the first thing on its socket; BlockingIOError: not now, try again."""
    socket.send_fds(sock, [b"m"], [descriptor])


def receive_page(sock: socket.socket) -> Marker:
    """The worker's side; PeerError if something else came."""
    _, descriptors, _, _ = socket.recv_fds(sock, 1, 1, socket.MSG_CMSG_CLOEXEC)
    if not descriptors:
        message = "the daemon ended before it sent the marker page"
        raise PeerError(message)
    marker = Marker(descriptors[0])
    os.close(descriptors[0])
    return marker
