"""The peers of a worker daemon, for its tests: a master and a controller, over real websockets."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvloop
from aiohttp import web
from msgspec import Struct

from sliceworks.protocol.channel import Channel, ChannelClosed, accept
from sliceworks.protocol.clock import SystemClock
from sliceworks.protocol.codec import Decoder
from sliceworks.protocol.errors import PeerError
from sliceworks.protocol.forkserver import ForkServer
from sliceworks.protocol.ids import WorkerId
from sliceworks.protocol.messages import (
    VERSION,
    Assignment,
    DaemonToController,
    LinkHello,
    LinkState,
    LinkWelcome,
    NodeHello,
    NodeState,
    NodeToMaster,
    NodeWelcome,
    Refused,
    SliceResults,
)
from sliceworks.protocol.proof import proof_of, proves
from sliceworks.worker.assets import Assets
from sliceworks.worker.pool import Premises
from sliceworks.worker.slot import Workshop

PATIENCE_SECONDS = 20
HEARTBEAT_MS = 5_000
EX_ID = "4b2a0a6e-0000-4000-8000-000000000001"


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


def make_execution(*operations: dict[str, Any], **fields: Any) -> bytes:
    """An execution document."""
    reader = {"_op": "data_generator", "size": 10}
    document = {"ex_id": EX_ID, "job_id": "job", "operations": [reader, *operations], **fields}
    return json.dumps(document).encode()


class Heard:
    """What a fake peer has heard so far, and waiting for more."""

    def __init__(self) -> None:
        self._news = asyncio.Event()

    def note(self) -> None:
        self._news.set()

    async def until(self, is_so: Callable[[], object]) -> None:
        """Wait until it is so; looked at whenever something was heard."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not is_so():
                self._news.clear()
                await self._news.wait()


@dataclass
class FakeController(Heard):
    """A controller as a daemon sees it; `answers` says how it behaves at the next hello."""

    port: int = 0
    generation: int = 1
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    answers: str = "welcome"  # welcome, refuse, lie (a wrong proof), babble (a wrong message)
    hellos: list[LinkHello] = field(default_factory=list)
    states: list[LinkState] = field(default_factory=list)
    results: list[SliceResults] = field(default_factory=list)
    channel: Channel[DaemonToController] | None = None

    def __post_init__(self) -> None:
        super().__init__()

    def held(self, hello: int = -1) -> set[tuple[int, int]]:
        """The leases that a hello listed."""
        said = self.hellos[hello]
        return set(zip(said.held_seqs, said.held_epochs, strict=True))

    def kinds(self) -> dict[int, int]:
        """How each slice ended, by its seq."""
        return {
            seq: kind for batch in self.results for seq, kind in zip(batch.seqs, batch.kinds, strict=True)
        }

    async def send(self, message: Struct) -> None:
        assert self.channel
        await self.channel.send(message)

    async def drop(self) -> None:
        """Close the connection."""
        assert self.channel
        await self.channel.close("dropped by the test")

    async def serve(self, request: web.Request) -> web.StreamResponse:
        decoder: Decoder[DaemonToController] = Decoder(DaemonToController)
        async with accept(request, decoder, heartbeat_ms=HEARTBEAT_MS) as channel:
            try:
                await self._converse(channel)
            except (ChannelClosed, PeerError):
                pass
            finally:
                self.channel = None
                self.note()
        return channel.response

    async def _converse(self, channel: Channel[DaemonToController]) -> None:
        hello = await channel.receive()
        assert isinstance(hello, LinkHello)
        self.hellos.append(hello)
        if not proves(hello.proof, self.secret, role="daemon", nonce=hello.nonce) or self.answers == "refuse":
            await channel.send(Refused("go away"))
            return
        secret = secrets.token_bytes(32) if self.answers == "lie" else self.secret
        proof = proof_of(secret, "controller", hello.nonce)
        welcome = LinkWelcome(VERSION, self.generation, proof)
        await channel.send(NodeWelcome(VERSION, "x", 1) if self.answers == "babble" else welcome)
        self.channel = channel
        self.note()
        while True:
            match await channel.receive():
                case LinkState() as state:
                    self.states.append(state)
                case SliceResults() as results:
                    self.results.append(results)
                case other:
                    pytest.fail(f"unexpected {other}")
            self.note()


@dataclass
class FakeMaster(Heard):
    """A master as a daemon sees it."""

    port: int = 0
    refusal: str = ""
    hellos: list[NodeHello] = field(default_factory=list)
    states: list[NodeState] = field(default_factory=list)
    channel: Channel[NodeToMaster] | None = None

    def __post_init__(self) -> None:
        super().__init__()

    async def send(self, message: Struct) -> None:
        assert self.channel
        await self.channel.send(message)

    async def drop(self) -> None:
        """Close the connection."""
        assert self.channel
        await self.channel.close("dropped by the test")

    async def serve(self, request: web.Request) -> web.StreamResponse:
        decoder: Decoder[NodeToMaster] = Decoder(NodeToMaster)
        async with accept(request, decoder, heartbeat_ms=HEARTBEAT_MS) as channel:
            try:
                await self._converse(channel)
            except ChannelClosed:
                pass
            finally:
                self.channel = None
                self.note()
        return channel.response

    async def _converse(self, channel: Channel[NodeToMaster]) -> None:
        hello = await channel.receive()
        assert isinstance(hello, NodeHello)
        self.hellos.append(hello)
        self.note()
        if self.refusal:
            await channel.send(Refused(self.refusal))
            return
        await channel.send(NodeWelcome(VERSION, "test cluster", HEARTBEAT_MS))
        self.channel = channel
        self.note()
        while True:
            state = await channel.receive()
            assert isinstance(state, NodeState)
            self.states.append(state)
            self.note()


@pytest.fixture
async def controller() -> AsyncIterator[FakeController]:
    fake = FakeController()
    async for port in _served(fake.serve, "/_ws/link"):
        fake.port = port
        yield fake


@pytest.fixture
async def master() -> AsyncIterator[FakeMaster]:
    fake = FakeMaster()
    async for port in _served(fake.serve, "/_ws/node"):
        fake.port = port
        yield fake


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def shelf() -> dict[str, bytes | Exception]:
    """The zips that can be fetched, by their ids; or what is raised instead, once."""
    return {}


@pytest.fixture
async def assets(tmp_path: Path, shelf: dict[str, bytes | Exception]) -> AsyncIterator[Assets]:
    """The assets of a node, fetched from the shelf."""

    async def fetch(asset_id: str, path: Path) -> None:
        found = shelf[asset_id]
        if isinstance(found, Exception):
            raise found
        await asyncio.to_thread(path.write_bytes, found)

    async with Assets.open(tmp_path / "assets", fetch, SystemClock()) as opened:
        yield opened


@pytest.fixture
async def workshop(assets: Assets) -> AsyncIterator[Workshop]:
    """Places for three real workers."""
    async with ForkServer.start("sliceworks.worker.children") as fork_server:
        yield Workshop(fork_server, asyncio.Semaphore(3), SystemClock(), assets)


@pytest.fixture
def premises(session: aiohttp.ClientSession, workshop: Workshop) -> Premises:
    numbers = iter(range(1, 1_000))
    return Premises(
        node_id="node-1",
        incarnation="life-1",
        hostname="node-a",
        durable=False,
        log_level="warn",
        log_format="json",
        heartbeat_ms=HEARTBEAT_MS,
        disconnect_timeout_ms=60_000,
        session=session,
        workshop=workshop,
        new_worker_id=lambda: WorkerId(next(numbers)),
    )


@pytest.fixture
def execution() -> Callable[..., bytes]:
    return make_execution


@pytest.fixture
def assign(controller: FakeController) -> Callable[..., Assignment]:
    """Makes assignments of the execution whose controller is the fake one."""

    def make(workers: int, *operations: dict[str, Any], grace_ms: int = 5_000, **fields: Any) -> Assignment:
        return Assignment(
            ex_id=EX_ID,
            job_id="job",
            generation=controller.generation,
            host="127.0.0.1",
            port=controller.port,
            secret=controller.secret,
            workers=workers,
            grace_ms=grace_ms,
            execution=make_execution(*(operations or ({"_op": "noop"},)), **fields),
        )

    return make


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


async def _served(handler: Callable[[web.Request], Any], path: str) -> AsyncIterator[int]:
    """The port where `handler` answers."""
    app = web.Application()
    app.router.add_get(path, handler)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
