"""The connection to the master: opened for ever, and silent about what did not change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
from structlog.testing import capture_logs

from sliceworks.protocol.messages import (
    VERSION,
    Assignments,
    NodeHello,
    NodeState,
    NodeWelcome,
    WorkerInfo,
)
from sliceworks.worker.events import Peer, PeerFound, PeerLost
from sliceworks.worker.master_link import MasterLink, Told

if TYPE_CHECKING:
    from tests.worker.conftest import FakeMaster

FOUND, LOST = PeerFound(Peer.MASTER), PeerLost(Peer.MASTER)
HELLO = NodeHello(VERSION, "node-1", "life-1", "node-a", 77, 3, "3.11", "0.1.0")


def state(worker_id: int) -> NodeState:
    return NodeState([WorkerInfo(worker_id, 1, "ex", "idle")], [])


class Client:
    """A link to a master, and what it told."""

    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self.told: list[Told] = []
        self._news = asyncio.Event()
        self.link = MasterLink(session, f"http://127.0.0.1:{port}/_ws/node", hello=HELLO, heartbeat_ms=5_000)

    def tell(self, event: Told) -> None:
        self.told.append(event)
        self._news.set()

    async def until(self, count: int) -> Told:
        async with asyncio.timeout(20):
            while len(self.told) < count:
                self._news.clear()
                await self._news.wait()
        return self.told[count - 1]


@asynccontextmanager
async def running(client: Client) -> AsyncIterator[Client]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(client.link.run(client.tell), name="master-link")
        yield client
        task.cancel()


async def test_it_introduces_itself_and_hears_assignments(
    session: aiohttp.ClientSession, master: FakeMaster
) -> None:
    async with running(Client(session, master.port)) as client:
        assert await client.until(1) == FOUND
        assert master.hellos == [HELLO]
        await master.until(lambda: master.channel)
        await master.send(Assignments(3, []))
        assert await client.until(2) == Assignments(3, [])


async def test_only_states_that_differ_are_sent(session: aiohttp.ClientSession, master: FakeMaster) -> None:
    async with running(Client(session, master.port)) as client:
        await client.until(1)
        client.link.show(state(1))
        await client.link.shown.wait()
        for worker_id in (2, 1, 1):
            client.link.show(state(worker_id))
        client.link.show(state(3))
        await client.link.shown.wait()
        await master.until(lambda: len(master.states) == 2)
    assert master.states == [state(1), state(3)]


async def test_many_changes_become_few_messages(session: aiohttp.ClientSession, master: FakeMaster) -> None:
    async with running(Client(session, master.port)) as client:
        await client.until(1)
        for worker_id in range(5_000):
            client.link.show(state(worker_id))
            if worker_id % 100 == 0:
                await asyncio.sleep(0)
        await client.link.shown.wait()
        await master.until(lambda: master.states and master.states[-1] == state(4_999))
    assert len(master.states) < 100


async def test_it_comes_back_and_waits_for_what_to_say(
    session: aiohttp.ClientSession, master: FakeMaster
) -> None:
    with capture_logs() as logs:
        async with running(Client(session, master.port)) as client:
            await client.until(1)
            client.link.show(state(1))
            await master.until(lambda: master.states)
            await master.drop()
            assert await client.until(2) == LOST
            assert await client.until(3) == FOUND
            client.link.show(state(1))
            await master.until(lambda: len(master.states) == 2)
    assert len(master.hellos) == 2
    events = [line["event"] for line in logs]
    assert events == ["master_connected", "master_unreachable", "master_connected"]


async def test_it_complains_once(session: aiohttp.ClientSession, master: FakeMaster) -> None:
    master.refusal = "this cluster speaks version 7"
    with capture_logs() as logs:
        async with running(Client(session, master.port)) as client:
            await master.until(lambda: len(master.hellos) == 3)
            assert client.told == []
            master.refusal = ""
            await client.until(1)
    assert [line["event"] for line in logs] == ["master_unreachable", "master_connected"]
    assert logs[0]["reason"] == "this cluster speaks version 7"


async def test_a_master_that_talks_nonsense_is_left(
    session: aiohttp.ClientSession, master: FakeMaster
) -> None:
    async with running(Client(session, master.port)) as client:
        await client.until(1)
        await master.until(lambda: master.channel)
        await master.send(NodeWelcome(VERSION, "again", 1))
        assert await client.until(2) == LOST
        assert await client.until(3) == FOUND
