"""A TCP proxy between two processes of a cluster that can lose what it carries, in every way a network does.

It runs in a thread of its own, so that a test can change its mood with plain calls.  What always holds: bytes
that it passes on are in order and whole; what it swallowed is never passed on later.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from enum import Enum, auto
from pathlib import Path
from typing import Any

CHUNK = 65_536
LINGER_RESET = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # struct linger: close with a reset


class Way(Enum):
    """Which of the two directions; the client is who connected."""

    TO_SERVER = auto()
    TO_CLIENT = auto()


BOTH = (Way.TO_SERVER, Way.TO_CLIENT)


class Connection:
    """One connection through the proxy: two sockets; moods leave it alone unless it is `concerned`."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.concerned = True
        self.client_port: int = client.getpeername()[1]
        self.ends = {Way.TO_SERVER: (client, server), Way.TO_CLIENT: (server, client)}

    def half_close(self, way: Way) -> None:
        """The receiver of this way sees the end of the stream; the other way stays."""
        with suppress(OSError):
            self.ends[way][1].shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Both sides see a connection reset by the peer."""
        for end in self.ends[Way.TO_SERVER]:
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)


class Proxy:
    """Listens on `port`, forwards to `target`; made by `proxy`."""

    def __init__(self, listener: socket.socket, target: int) -> None:
        self.target = target
        """The port on 127.0.0.1 that new connections are carried to."""
        self.port: int = listener.getsockname()[1]
        self._listener = listener
        self._loop = asyncio.new_event_loop()
        self._connections: dict[Connection, list[asyncio.Task[None]]] = {}
        self._open = {way: asyncio.Event() for way in Way}
        self._swallowing: set[Way] = set()
        self._refusing = False
        self._concern: int | None = None
        for event in self._open.values():
            event.set()

    # --- moods, for the test's thread

    def concern(self, pid: int) -> None:
        """From now on all moods are about connections that this process opened, the others are carried."""
        self._call(lambda: self._narrow(pid))

    def stall(self, *ways: Way) -> None:
        """Carry nothing this way (both ways by default), and lose nothing: it comes when healed."""

        def do() -> None:
            for way in ways or BOTH:
                self._open[way].clear()

        self._call(do)

    def swallow(self, *ways: Way) -> None:
        """What comes this way vanishes, as on a cut line; new connections are taken and never answered."""
        self._call(lambda: self._swallowing.update(ways or BOTH))

    def cut(self) -> None:
        """Reset every connection, and refuse new ones until healed."""
        self._call(self._cut)

    def reset(self) -> None:
        """Reset every connection; new ones are carried."""
        self._call(self._reset)

    def half_close(self, way: Way) -> None:
        """End this way of every connection that there is now, and go on with the other."""

        def do() -> None:
            for connection in self._connections:
                if connection.concerned:
                    connection.half_close(way)

        self._call(do)

    def heal(self) -> None:
        """Carry everything again; connections that lost bytes are reset, as their streams are broken."""
        self._call(self._heal)

    # --- in its own thread

    def run(self) -> None:
        """Serve until `stop`."""
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    def stop(self) -> None:
        """End every connection and the thread."""
        self._call(self._finish)

    async def _serve(self) -> None:
        self._over = asyncio.Event()
        self._listener.setblocking(False)
        async with asyncio.TaskGroup() as group:
            accepting = group.create_task(self._accept(group), name="accept")
            await self._over.wait()
            accepting.cancel()
            self._reset()

    async def _accept(self, group: asyncio.TaskGroup) -> None:
        while True:
            client, _ = await self._loop.sock_accept(self._listener)
            client.setblocking(False)
            group.create_task(self._carry_all(client, group), name="connection")

    async def _carry_all(self, client: socket.socket, group: asyncio.TaskGroup) -> None:
        server = socket.socket()
        server.setblocking(False)
        connection = Connection(client, server)
        connection.concerned = self._is_concerned(connection)
        try:
            if self._refusing and connection.concerned:
                connection.reset()
                return
            await self._loop.sock_connect(server, ("127.0.0.1", self.target))
            ways = [group.create_task(self._carry(connection, way), name=way.name) for way in Way]
            self._connections[connection] = ways
            await asyncio.wait(ways)
        except OSError:
            connection.reset()
        finally:
            self._connections.pop(connection, None)
            client.close()
            server.close()

    async def _carry(self, connection: Connection, way: Way) -> None:
        source, sink = connection.ends[way]
        with suppress(OSError):
            while data := await self._loop.sock_recv(source, CHUNK):
                if await self._passes(connection, way):
                    await self._loop.sock_sendall(sink, data)
            if await self._passes(connection, way):
                sink.shutdown(socket.SHUT_WR)

    async def _passes(self, connection: Connection, way: Way) -> bool:
        """Whether what came this way is passed on, once it may be."""
        if connection.concerned:
            await self._open[way].wait()
        return not (connection.concerned and way in self._swallowing)

    def _cut(self) -> None:
        self._refusing = True
        self._reset()

    def _reset(self) -> None:
        for connection, ways in self._connections.items():
            if connection.concerned:
                connection.reset()
                for task in ways:
                    task.cancel()

    def _narrow(self, pid: int) -> None:
        self._concern = pid
        for connection in self._connections:
            connection.concerned = self._is_concerned(connection)

    def _is_concerned(self, connection: Connection) -> bool:
        return self._concern is None or owns_socket(self._concern, connection.client_port, self.port)

    def _heal(self) -> None:
        if self._swallowing:
            self._reset()
        self._swallowing.clear()
        self._refusing = False
        for event in self._open.values():
            event.set()

    def _finish(self) -> None:
        self._concern = None
        for connection in self._connections:
            connection.concerned = True
        self._heal()
        self._over.set()

    def _call(self, work: Callable[[], Any]) -> None:
        """Do it in the proxy's thread, and wait for that."""

        async def do() -> None:
            work()

        coroutine: Coroutine[Any, Any, None] = do()
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)


@contextmanager
def proxy(target: int, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[Proxy]:
    """A proxy to a port of 127.0.0.1, for as long as the block lasts."""
    with socket.create_server((host, port)) as listener:
        running = Proxy(listener, target)
        thread = threading.Thread(target=running.run, name="proxy")
        thread.start()
        try:
            yield running
        finally:
            running.stop()
            thread.join()


def owns_socket(pid: int, local_port: int, remote_port: int) -> bool:
    """Whether a process has the TCP socket with these two ports."""
    ports = f":{local_port:04X}", f":{remote_port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(ports[0]) and row[2].endswith(ports[1])}
    return not inodes.isdisjoint(_links(pid))


def _links(pid: int) -> Iterator[str]:
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            yield str(entry.readlink())
