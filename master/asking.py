"""Asking a child process something that only authors' code can answer, which a daemon never runs.

A child that hangs or dies harms nothing: it is killed.
"""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Final

from sliceworks.protocol.forkserver import Child, ExitStatus, ForkServer
from sliceworks.protocol.process import kill_group

READ_BYTES: Final = 256 * 1024


async def ask_child(forks: ForkServer, target: str, payload: bytes, *, timeout_seconds: float) -> bytes:
    """All that the child writes, "" if it dies before; TimeoutError."""
    ended: asyncio.Future[ExitStatus] = asyncio.get_running_loop().create_future()
    child = await forks.spawn(target, payload, on_exit=ended.set_result)
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _read_all(child.sock)
    finally:
        _release(child)


def _release(child: Child) -> None:
    """Whatever the child still does, it does no more."""
    child.sock.close()
    os.close(child.pidfd)
    kill_group(child.pid)


async def _read_all(sock: socket.socket) -> bytes:
    chunks: list[bytes] = []
    while chunk := await asyncio.get_running_loop().sock_recv(sock, READ_BYTES):
        chunks.append(chunk)
    return b"".join(chunks)
