"""The connection to a controller: how it begins, what it repeats, and what it never trusts."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import aiohttp
import pytest
from structlog.testing import capture_logs

from sliceworks.protocol.messages import AckResults, LinkState, RecallSlices, RunSlices
from sliceworks.worker.events import Peer, PeerFound, PeerLost, Recalled, ResultsAcked, SlicesGranted
from sliceworks.worker.leases import Lease
from sliceworks.worker.link import Caller, Link, Target, Told

if TYPE_CHECKING:
    from tests.worker.conftest import FakeController

FOUND, LOST = PeerFound(Peer.CONTROLLER), PeerLost(Peer.CONTROLLER)
STATE = LinkState(1, 0, 1, 0, 20)


class Client:
    """A link, and what it told."""

    def __init__(self, session: aiohttp.ClientSession, target: Target) -> None:
        caller = Caller(session, 5_000, "ex", "node-1", "life-1", "node-a")
        self.told: list[Told] = []
        self.leases: list[Lease] = [(4, 1), (7, 2)]
        self._news = asyncio.Event()
        self.link = Link(caller, target, tell=self._tell, held=self._held)

    async def until(self, told: Told) -> None:
        async with asyncio.timeout(20):
            while told not in self.told:
                self._news.clear()
                await self._news.wait()

    async def _held(self) -> list[Lease]:
        return self.leases

    def _tell(self, event: Told) -> None:
        self.told.append(event)
        self._news.set()


def target_of(controller: FakeController, *, secret: bytes = b"") -> Target:
    return Target(controller.generation, "127.0.0.1", controller.port, secret or controller.secret)


@contextlib.asynccontextmanager
async def running(client: Client) -> AsyncIterator[Client]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(client.link.run(), name="link")
        yield client
        task.cancel()


@pytest.fixture
async def client(session: aiohttp.ClientSession, controller: FakeController) -> AsyncIterator[Client]:
    async with running(Client(session, target_of(controller))) as client:
        yield client


async def test_the_hello_lists_what_is_held_and_proves_who_we_are(
    client: Client, controller: FakeController
) -> None:
    await client.until(FOUND)
    hello = controller.hellos[0]
    assert (hello.ex_id, hello.generation, hello.node_id, hello.incarnation) == ("ex", 1, "node-1", "life-1")
    assert controller.held() == {(4, 1), (7, 2)}


async def test_frames_become_events_in_order(client: Client, controller: FakeController) -> None:
    await client.until(FOUND)
    await controller.until(lambda: controller.channel)
    grant = RunSlices([1], [1], [b"{}"])
    for message in (grant, RecallSlices(3), AckResults(9)):
        await controller.send(message)
    await client.until(ResultsAcked(9))
    assert client.told == [FOUND, SlicesGranted(grant), Recalled(3), ResultsAcked(9)]


async def test_messages_are_sent_in_order_and_dropped_without_a_connection(
    client: Client, controller: FakeController
) -> None:
    client.link.send(STATE)
    await client.until(FOUND)
    for window in range(50):
        client.link.send(LinkState(1, 0, 1, 0, window))
    await controller.until(lambda: len(controller.states) == 50)
    assert [state.window for state in controller.states] == list(range(50))


async def test_a_lost_connection_is_opened_again_with_a_new_hello(
    client: Client, controller: FakeController
) -> None:
    await controller.until(lambda: controller.channel)
    await client.until(FOUND)
    client.leases = [(9, 9)]
    await controller.drop()
    await client.until(LOST)
    await controller.until(lambda: len(controller.hellos) == 2)
    assert controller.held() == {(9, 9)}
    assert controller.hellos[0].nonce != controller.hellos[1].nonce


@pytest.mark.parametrize("answers", ["refuse", "lie", "babble"])
async def test_whoever_is_not_our_controller_is_tried_again_and_complained_about_once(
    session: aiohttp.ClientSession, controller: FakeController, answers: str
) -> None:
    controller.answers = answers
    with capture_logs() as logs:
        async with running(Client(session, target_of(controller))) as client:
            await controller.until(lambda: len(controller.hellos) == 3)
            assert client.told == []
            controller.answers = "welcome"
            await client.until(FOUND)
    assert [line["event"] for line in logs] == ["controller_unreachable", "controller_connected"]
    assert "secret" not in str(logs[0]).replace("does not know the secret", "")


async def test_a_new_generation_is_connected_at_once(
    session: aiohttp.ClientSession, controller: FakeController
) -> None:
    old = Target(1, "127.0.0.1", 9, b"old")
    async with running(Client(session, old)) as client:
        client.link.aim(target_of(controller))
        await client.until(FOUND)
        controller.secret = secrets.token_bytes(32)
        controller.generation = 2
        client.link.aim(target_of(controller))
        await client.until(LOST)
        await controller.until(lambda: controller.channel and controller.hellos[-1].generation == 2)


async def test_the_same_target_again_changes_nothing(client: Client, controller: FakeController) -> None:
    await client.until(FOUND)
    client.link.aim(target_of(controller))
    await controller.until(lambda: controller.channel)
    await controller.send(AckResults(1))
    await client.until(ResultsAcked(1))
    assert len(controller.hellos) == 1
