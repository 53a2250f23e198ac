"""Many worker daemons in one process, over real sockets: `python -m benchmarks.swarm PORT NODES WORKERS`.

Each speaks the whole protocol with the product's own links to master and controller; only the workers behind
it are made up: every slice that it is granted ends at once, completed.  It prints `connected` when the master
has welcomed all of them, and ends with SIGTERM.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from typing import Final

import aiohttp
import uvloop

from sliceworks.protocol.log import configure_logging
from sliceworks.protocol.messages import (
    VERSION,
    Assignment,
    Assignments,
    LinkInfo,
    LinkState,
    NodeHello,
    NodeState,
    SliceResults,
    WorkerInfo,
)
from sliceworks.worker import link as links
from sliceworks.worker import master_link
from sliceworks.worker.events import Peer, PeerFound, PeerLost, Recalled, SlicesGranted
from sliceworks.worker.leases import Lease
from sliceworks.worker.pace import Pace

HEARTBEAT_MS: Final = 5_000
RUN_US: Final = 20


class SimulatedNode:
    """A worker daemon without workers."""

    def __init__(self, number: int, *, slots: int, session: aiohttp.ClientSession, port: int) -> None:
        self.connected = asyncio.Event()
        self._number = number
        self._session = session
        self._node_id = f"simulated-{number}"
        hello = NodeHello(
            VERSION,
            self._node_id,
            f"{self._node_id}-{os.getpid()}",
            "127.0.0.1",
            os.getpid(),
            slots,
            "3.11",
            "0",
        )
        url = f"http://127.0.0.1:{port}/_ws/node"
        self._master = master_link.MasterLink(session, url, hello=hello, heartbeat_ms=HEARTBEAT_MS)
        self._pools: dict[str, SimulatedPool] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._incarnation = hello.incarnation

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            self._group = group
            await self._master.run(self._hear)

    def _hear(self, told: master_link.Told) -> None:
        match told:
            case PeerFound():
                self.connected.set()
                self._show(0)
            case Assignments(revision, items):
                self._assign(items)
                self._show(revision)
            case PeerLost():
                pass

    def _assign(self, items: list[Assignment]) -> None:
        wanted = {item.ex_id: item for item in items if item.workers}
        for ex_id in self._pools.keys() - wanted.keys():
            self._tasks.pop(ex_id).cancel()
            del self._pools[ex_id]
        for ex_id, item in wanted.items():
            if ex_id not in self._pools:
                caller = links.Caller(
                    self._session, HEARTBEAT_MS, ex_id, self._node_id, self._incarnation, "127.0.0.1"
                )
                self._pools[ex_id] = pool = SimulatedPool(caller, item)
                self._tasks[ex_id] = self._group.create_task(pool.link.run(), name=f"{self._node_id}-{ex_id}")

    def _show(self, revision: int) -> None:
        workers = [
            WorkerInfo(1_000 * self._number + place, os.getpid(), ex_id, "idle")
            for ex_id, pool in self._pools.items()
            for place in range(pool.workers)
        ]
        infos = [LinkInfo(ex_id, connected=True) for ex_id in self._pools]
        self._master.show(NodeState(workers, infos, revision))


class SimulatedPool:
    """One execution on one node: the window is what a real daemon asks for slices of RUN_US."""

    def __init__(self, caller: links.Caller, item: Assignment) -> None:
        self.workers = item.workers
        pace = Pace(prefetch=True)
        pace.ran(1_000, 1_000 * RUN_US)
        self._window = pace.window(item.workers)
        self._batch = 0
        target = links.Target(item.generation, item.host, item.port, item.secret)
        self.link = links.Link(caller, target, tell=self._hear, held=self._held)

    async def _held(self) -> list[Lease]:
        return []

    def _hear(self, told: links.Told) -> None:
        match told:
            case PeerFound(Peer.CONTROLLER) | Recalled():
                self.link.send(LinkState(self.workers, 0, self.workers, 0, self._window))
            case SlicesGranted(slices):
                self._finish(slices.seqs, slices.epochs)
            case _:
                pass

    def _finish(self, seqs: list[int], epochs: list[int]) -> None:
        self._batch += 1
        count, now = len(seqs), time.time_ns() // 1_000_000
        workers = [1 + place % self.workers for place in range(count)]
        kinds, times = bytes(count), ([now] * count, [RUN_US] * count)
        self.link.send(SliceResults(self._batch, seqs, epochs, kinds, workers, *times, {}, [], self._window))


async def live(port: int, nodes: int, slots: int) -> None:
    """Until SIGTERM."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:
        made = [SimulatedNode(n, slots=slots, session=session, port=port) for n in range(1, nodes + 1)]
        tasks = []
        for number, node in enumerate(made):
            tasks.append(group.create_task(node.run(), name=f"node-{number}"))
            await node.connected.wait()
        print("connected", flush=True)
        await stopped.wait()
        for task in tasks:
            task.cancel()


if __name__ == "__main__":
    configure_logging(level="error", style="console")
    uvloop.run(live(*(int(argument) for argument in sys.argv[1:4])))
