"""A whole master in the test process; controllers and nodes are played by the test, over real websockets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import aiohttp
import orjson
from aiohttp.test_utils import TestClient, TestServer
from msgspec import Struct

from sliceworks.master.assets.inspection import Bundles
from sliceworks.master.cluster import effects as ef
from sliceworks.master.cluster import events as ev
from sliceworks.master.daemon import Master
from sliceworks.master.store.cluster import SqliteClusterStore
from sliceworks.master.store.execution import SCHEMA
from sliceworks.operations.archive import AssetManifest, check_zip, unpack
from sliceworks.operations.bundle_outline import AssetPlace
from sliceworks.operations.validation import validate_job
from sliceworks.protocol.channel import Channel, connect
from sliceworks.protocol.codec import Decoder
from sliceworks.protocol.messages import (
    VERSION,
    Assignment,
    Assignments,
    ControllerHello,
    ControllerOutcome,
    ControllerReport,
    MasterToController,
    MasterToNode,
    NodeHello,
    NodeState,
    NodeWelcome,
    SliceCounts,
    Statistics,
    WorkerInfo,
)
from sliceworks.protocol.process import Identity
from sliceworks.protocol.proof import new_nonce, proof_of
from sliceworks.protocol.settings import Settings

T = TypeVar("T", bound=Struct)

JOB = {
    "name": "played",
    "workers": 2,
    "operations": [{"_op": "data_generator", "size": 10}, {"_op": "noop"}],
}


class PlayedProcesses:
    """Controllers that exist only as orders; the test says when they end."""

    def __init__(self, tell: Callable[[ev.Event], None]) -> None:
        self.tell = tell
        self.orders: dict[str, ef.SpawnController] = {}
        self.killed: list[str] = []
        self._ordered = asyncio.Event()

    async def __aenter__(self) -> PlayedProcesses:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def spawn(self, order: ef.SpawnController) -> None:
        self.orders[order.ex_id] = order
        identity = Identity(4_000_000 + order.generation, order.generation, "played")
        self.tell(ev.ControllerSpawned(order.ex_id, order.generation, identity))
        self._ordered.set()

    def release(self, order: ef.ReleaseController) -> None:
        pass

    def watch(self, order: ef.WatchController) -> None:
        pass

    def end(self, order: ef.EndController) -> None:
        self.killed.append(order.ex_id)
        self.exited(order.ex_id)

    def inspect(self, order: ef.InspectStore) -> None:
        self.tell(ev.StoreInspected(order.ex_id, order.generation, None, SliceCounts()))

    def exited(self, ex_id: str, how: str = "it ended with exit code 0") -> None:
        self.tell(ev.ControllerExited(ex_id, self.orders[ex_id].generation, how))

    async def order_of(self, ex_id: str, generation: int = 1) -> ef.SpawnController:
        """Wait until the controller is wanted."""
        while ex_id not in self.orders or self.orders[ex_id].generation < generation:
            self._ordered.clear()
            await self._ordered.wait()
        return self.orders[ex_id]


class PlayedBundles:
    """Looks into zips, and takes every Python file at their top for an operation."""

    async def check(self, zip_path: Path, target: Path) -> AssetManifest:
        manifest = check_zip(zip_path)
        unpack(zip_path, target)
        return manifest

    async def describe(
        self, directory: Path, *, folder: Path, asset_id: str, manifest: AssetManifest
    ) -> list[str]:
        names = await asyncio.to_thread(lambda: [path.stem for path in directory.glob("*.py")])
        return sorted(names)


class Peer:
    """One websocket to the master."""

    def __init__(self, channel: Channel[Any]) -> None:
        self.channel = channel

    async def send(self, message: Struct) -> None:
        await self.channel.send(message)

    async def receive(self, kind: type[T]) -> T:
        """The next message of that kind; others are passed over."""
        while True:
            message = await self.channel.receive()
            if isinstance(message, kind):
                return message

    async def assigned(self, ex_id: str) -> Assignment:
        """Wait until the node is told of the execution."""
        while True:
            for item in (await self.receive(Assignments)).items:
                if item.ex_id == ex_id:
                    return item

    async def runs(self, ex_id: str = "", workers: int = 0, *, revision: int = 1 << 60) -> None:
        """Tell, as a node, what runs on it."""
        infos = [WorkerInfo(number, 100 + number, ex_id, "idle") for number in range(1, workers + 1)]
        await self.send(NodeState(infos, [], revision))

    async def reports(self, phase: str = "running", **fields: Any) -> None:
        """Tell, as a controller, what the execution does."""
        await self.send(report(phase, **fields))

    async def concludes(self, status: str, *, failure: str = "", **fields: Any) -> None:
        """Tell, as a controller, how the execution ended."""
        await self.send(ControllerOutcome(status, failure, report("stopping", **fields)))


def report(phase: str, **fields: Any) -> ControllerReport:
    """What a controller says."""
    given = {
        "reason": "",
        "failure": "",
        "statistics": Statistics(),
        "counts": SliceCounts(),
        "operations": [],
    }
    return ControllerReport(phase=phase, **{**given, **fields})


class PlayedMaster:
    """A running master and a client of it."""

    def __init__(self, settings: Settings, client: TestClient[Any, Any], processes: PlayedProcesses) -> None:
        self.settings = settings
        self.client = client
        self.processes = processes
        self._session = client.session

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, data_dir: Path, *, bundles: Bundles | None = None, **settings: Any
    ) -> AsyncIterator[PlayedMaster]:
        """Start it on the store in that folder; uploads are looked into by `bundles`, or here."""
        given = Settings(data_dir=data_dir, name="played", **settings)
        made: list[PlayedProcesses] = []

        def make(tell: Callable[[ev.Event], None]) -> PlayedProcesses:
            made.append(PlayedProcesses(tell))
            return made[0]

        async def validate(document: bytes, assets: Sequence[tuple[str, AssetPlace]] = ()) -> dict[str, Any]:
            return validate_job(orjson.loads(document), assets=assets)

        async def ask_reader(document: bytes) -> bool:
            return bool(orjson.loads(document)["operations"][0]["_op"] != "test_reader")

        async with SqliteClusterStore.open(data_dir / "cluster.db", durability="process") as store:
            master = Master(
                given,
                store,
                make_processes=make,
                validate=validate,
                ask_reader=ask_reader,
                bundles=bundles or PlayedBundles(),
            )
            async with master.running(), TestClient(TestServer(master.app)) as client:
                yield cls(given, client, made[0])

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        """Status and JSON of an answer."""
        async with self.client.request(method, path, **options) as response:
            return response.status, await response.json()

    async def submit(self, job: dict[str, Any] | None = None, **query: str) -> dict[str, str]:
        status, answer = await self.ask("POST", "/jobs", json=job or JOB, params=query)
        assert status == 200, answer
        started: dict[str, str] = answer
        return started

    async def wait_status(self, ex_id: str, status: str) -> dict[str, Any]:
        """The execution, when it has that status."""
        async with asyncio.timeout(10):
            while True:
                _, document = await self.ask("GET", f"/ex/{ex_id}")
                if document["_status"] == status:
                    found: dict[str, Any] = document
                    return found
                await asyncio.sleep(0.005)

    @contextlib.asynccontextmanager
    async def peer(self, path: str, union: Any) -> AsyncIterator[Peer]:
        """A connection that has said nothing yet."""
        url = str(self.client.make_url(path))
        async with (
            aiohttp.ClientSession() as session,
            connect(session, url, Decoder[Any](union), heartbeat_ms=60_000) as channel,
        ):
            yield Peer(channel)

    @contextlib.asynccontextmanager
    async def node(self, node_id: str = "node", *, slots: int = 4) -> AsyncIterator[Peer]:
        """A worker daemon that is connected, with nothing on it."""
        async with self.peer("/_ws/node", MasterToNode) as peer:
            await peer.send(NodeHello(VERSION, node_id, "first", "host", 77, slots, "3.11.7", "0.1.0"))
            await peer.receive(NodeWelcome)
            await peer.receive(Assignments)
            await peer.runs()
            yield peer

    @contextlib.asynccontextmanager
    async def controller(self, ex_id: str, *, generation: int = 1) -> AsyncIterator[Peer]:
        """The controller of an execution, connected."""
        order = await self.processes.order_of(ex_id, generation)
        async with self.peer("/_ws/controller", MasterToController) as peer:
            await peer.send(hello_of(order))
            yield peer


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for something that nobody tells."""
    async with asyncio.timeout(5):
        while True:
            if is_so():
                return
            await asyncio.sleep(0.005)


def hello_of(order: ef.SpawnController, **changes: Any) -> ControllerHello:
    """What a controller says first."""
    nonce = new_nonce()
    given = {
        "version": VERSION,
        "schema": SCHEMA,
        "ex_id": order.ex_id,
        "generation": order.generation,
        "nonce": nonce,
        "proof": proof_of(order.secret, "controller", nonce),
        "pid": 4_000_000,
        "port": 45_000,
    }
    return ControllerHello(**{**given, **changes})
