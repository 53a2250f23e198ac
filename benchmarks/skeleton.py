"""The bare skeleton of a slice's path: the same processes and columns as ours, and no logic at all.

slicer -> (socketpair, msgpack) -> controller -> (aiohttp websocket, msgpack) -> daemon -> (socketpair) -> two
no-op workers, and back.  The controller commits in groups to SQLite with `synchronous=FULL`: the insert with
its lease before the slice is sent, the completion before it counts.  It answers no request, checks nothing,
recovers nothing and holds no lease.  `python -m benchmarks.skeleton FOLDER SLICES` prints slices a second.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sqlite3
import sys
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgpack
import uvloop
from aiohttp import web

CHUNK: Final = 256  # slices in a frame
WINDOW: Final = 4_096  # slices under way
WORKERS: Final = 2
SCHEMA: Final = Path(__file__).parent.parent / "master" / "store" / "execution_schema.sql"
INSERT: Final = (
    "INSERT INTO slices (seq, slicer_id, slicer_order, request, state, epoch, created_ms, updated_ms, node,"
    " started_ms) VALUES (?, 0, ?, ?, 1, 1, ?, ?, 1, ?)"
)
COMPLETE: Final = (
    "UPDATE slices SET state = 2, worker = ?, started_ms = ?, run_us = ?, updated_ms = ?, kind = 0"
    " WHERE seq = ?"
)

Frame = list[Any]


def main() -> None:
    """Fork the processes, run, print."""
    folder, slices = Path(sys.argv[1]), int(sys.argv[2])
    listener = socket.create_server(("127.0.0.1", 0))
    ours, theirs = socket.socketpair()
    children = [fork(lambda: slicer(theirs, slices), ours, listener)]
    theirs.close()
    port = listener.getsockname()[1]
    children.append(fork(lambda: uvloop.run(daemon(port)), listener))
    print(uvloop.run(controller(listener, ours, Store(folder / "skeleton.db"), slices=slices)))
    for pid in children:
        os.waitpid(pid, 0)


def fork(run: Callable[[], object], *closed: socket.socket) -> int:
    """A child that runs this and ends."""
    if pid := os.fork():
        return pid
    for sock in closed:
        sock.close()
    run()
    os._exit(0)


def slicer(sock: socket.socket, slices: int) -> None:
    """Encodes every request once, and sends as fast as they are taken."""
    for first in range(0, slices, CHUNK):
        count = min(CHUNK, slices - first)
        requests = [json.dumps({"start": n, "count": 1}).encode() for n in range(first, first + count)]
        send(sock, [requests])


def worker(sock: socket.socket) -> None:
    """Answers every frame; a no-op for each slice."""
    while (frame := receive(sock)) is not None:
        seqs, epochs, requests = frame
        started_ms = int(time.time() * 1000)
        run_us = [0 for request in requests]
        send(sock, [seqs, epochs, bytes(len(seqs)), [started_ms] * len(seqs), run_us])


async def daemon(port: int) -> None:
    """Frames of the websocket to the workers in turn, their answers back."""
    pairs = [socket.socketpair() for _ in range(WORKERS)]
    pids = [fork(lambda theirs=theirs: worker(theirs), *[pair[0] for pair in pairs]) for _, theirs in pairs]  # type: ignore[misc]
    for _, theirs in pairs:
        theirs.close()
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"http://127.0.0.1:{port}/", max_msg_size=0) as websocket,
        asyncio.TaskGroup() as group,
    ):
        writers = []
        for number, (sock, _) in enumerate(pairs, start=1):
            reader, writer = await asyncio.open_connection(sock=sock)
            writers.append(writer)
            group.create_task(relay(reader, websocket, number), name=f"relay-{number}")
        turn = 0
        async for message in websocket:
            data = msgpack.packb(msgpack.unpackb(message.data))
            writers[turn].write(len(data).to_bytes(4, "little") + data)
            turn = (turn + 1) % WORKERS
        for writer in writers:
            writer.close()
    for pid in pids:
        os.waitpid(pid, 0)  # noqa: ASYNC222 - nothing else is left to do


async def relay(
    reader: asyncio.StreamReader, websocket: aiohttp.ClientWebSocketResponse, number: int
) -> None:
    """One worker's results."""
    while head := await reader.read(4):
        head += await reader.readexactly(4 - len(head))
        frame = msgpack.unpackb(await reader.readexactly(int.from_bytes(head, "little")))
        await websocket.send_bytes(msgpack.packb([*frame, [number] * len(frame[0])]))


async def controller(
    listener: socket.socket, slicer_sock: socket.socket, store: Store, *, slices: int
) -> float:
    """Slices a second, from the first request to the last durable completion."""
    dispatch = Dispatch(slicer_sock, store, slices)
    app = web.Application()
    app.router.add_get("/", dispatch.serve)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    await dispatch.done.wait()
    await runner.cleanup()
    store.close()
    return slices / dispatch.seconds


class Dispatch:
    """The controller's loop: one commit at a time, whatever gathered meanwhile is the next."""

    def __init__(self, slicer_sock: socket.socket, store: Store, slices: int) -> None:
        self.done = asyncio.Event()
        self.seconds = 0.0
        self._slicer_sock = slicer_sock
        self._store = store
        self._left = slices
        self._results: deque[Frame] = deque()
        self._requests: deque[list[bytes]] = deque()
        self._changed = asyncio.Event()
        self._room = asyncio.Event()

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse(max_msg_size=0)
        await websocket.prepare(request)
        started = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._read_slicer(), name="slicer"),
                group.create_task(self._read_results(websocket), name="results"),
            ]
            await self._commit_all(websocket)
            for task in tasks:
                task.cancel()
        self.seconds = time.perf_counter() - started
        self.done.set()
        await websocket.close()
        return websocket

    async def _read_slicer(self) -> None:
        reader, _ = await asyncio.open_connection(sock=self._slicer_sock)
        while head := await reader.read(4):
            head += await reader.readexactly(4 - len(head))
            self._requests.append(
                msgpack.unpackb(await reader.readexactly(int.from_bytes(head, "little")))[0]
            )
            self._changed.set()
            if len(self._requests) > WINDOW // CHUNK:
                self._room.clear()
                await self._room.wait()

    async def _read_results(self, websocket: web.WebSocketResponse) -> None:
        async for message in websocket:
            self._results.append(msgpack.unpackb(message.data))
            self._changed.set()

    async def _commit_all(self, websocket: web.WebSocketResponse) -> None:
        seq, under_way, loop = 0, 0, asyncio.get_running_loop()
        while self._left:
            grants, inserts, now = [], [], int(time.time() * 1000)
            while self._requests and under_way < WINDOW:
                requests = self._requests.popleft()
                seqs = list(range(seq + 1, seq + 1 + len(requests)))
                inserts += [(n, n, r, now, now, now) for n, r in zip(seqs, requests, strict=True)]
                grants.append([seqs, [1] * len(seqs), requests])
                seq += len(requests)
                under_way += len(requests)
            self._room.set()
            ends = [
                (worker, started_ms, run_us, now, n)
                for seqs, _, _, started, run, workers in self._results
                for n, started_ms, run_us, worker in zip(seqs, started, run, workers, strict=True)
            ]
            self._results.clear()
            if not ends and not inserts:
                self._changed.clear()
                await self._changed.wait()
                continue
            await loop.run_in_executor(self._store.thread, self._store.commit, inserts, ends)
            self._left -= len(ends)
            under_way -= len(ends)
            for grant in grants:
                await websocket.send_bytes(msgpack.packb(grant))


class Store:
    """Our own schema and pragmas; one transaction a group."""

    def __init__(self, path: Path) -> None:
        self.thread = ThreadPoolExecutor(1)
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("PRAGMA wal_autocheckpoint=4000")
        self._connection.executescript(SCHEMA.read_text())

    def commit(self, inserts: list[tuple[Any, ...]], ends: list[tuple[Any, ...]]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(INSERT, inserts)
        self._connection.executemany(COMPLETE, ends)
        self._connection.execute("COMMIT")

    def close(self) -> None:
        self.thread.shutdown()
        self._connection.close()


def send(sock: socket.socket, frame: Frame) -> None:
    """One frame, blocking."""
    data = msgpack.packb(frame)
    sock.sendall(len(data).to_bytes(4, "little") + data)


def receive(sock: socket.socket) -> Frame | None:
    """One frame, blocking; None at the end."""
    head = sock.recv(4, socket.MSG_WAITALL)
    if len(head) < 4:
        return None
    frame: Frame = msgpack.unpackb(sock.recv(int.from_bytes(head, "little"), socket.MSG_WAITALL))
    return frame


if __name__ == "__main__":
    main()
