"""Cut, stalled and half-closed connections between any two processes: they heal, and nothing is lost."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sliceworks.master.store.history import read_outcome
from sliceworks.master.store.verify import verify_execution
from tests.acceptance.harness import Cluster, Daemon, free_port, is_alive
from tests.acceptance.jobs import delay, exporter, generated, written_ids
from tests.acceptance.proxy import Proxy, Way, proxy

SLICES = 300
MANY = 1_200  # so many that the job outlives what the test waits for
SHORT: dict[str, Any] = {"node_state_interval": "200ms", "lease_timeout": "1s"}
PATIENT: dict[str, Any] = {**SHORT, "node_disconnect_timeout": "1m"}
IMPATIENT: dict[str, Any] = {**SHORT, "node_disconnect_timeout": "2s", "network_latency_buffer": "1s"}
CONTROLLERS = "127.0.0.2"  # where nodes are told to find controllers: the proxy is there

Mood = Callable[[Proxy], None]
OUTAGES: dict[str, Mood] = {
    "cut": Proxy.cut,
    "stalled": Proxy.stall,
    "swallowed": Proxy.swallow,
    "swallowed to the controller": lambda line: line.swallow(Way.TO_SERVER),
    "swallowed to the daemon": lambda line: line.swallow(Way.TO_CLIENT),
    "stalled to the controller": lambda line: line.stall(Way.TO_SERVER),
    "stalled to the daemon": lambda line: line.stall(Way.TO_CLIENT),
}
BLINKS: dict[str, Mood] = {
    "reset": Proxy.reset,
    "half-closed to the controller": lambda line: line.half_close(Way.TO_SERVER),
    "half-closed to the daemon": lambda line: line.half_close(Way.TO_CLIENT),
}


@dataclass
class Network:
    """A cluster whose connections go through proxies."""

    cluster: Cluster
    to_master: Proxy  # of the daemons
    to_controller: Proxy
    output: Path = Path()
    slices: int = 0

    def add_worker(self, name: str = "worker", **settings: Any) -> Daemon:
        """A node with two slots that reaches everything through the proxies."""
        return self.cluster.add_worker(name, workers=2, **{"port": self.to_master.port, **settings})

    def submit(self, *, slices: int = SLICES, done: int = SLICES // 3, ms: int = 20) -> str:
        """A job of two workers, of which so many slices are done."""
        self.slices = slices
        self.output = self.cluster.folder / f"output-{uuid.uuid4().hex}"
        job = generated(delay(ms), exporter(self.output, file_per_slice=True), size=slices, workers=2)
        ex_id = self.cluster.submit(job)
        self.cluster.wait_completed(ex_id, done)
        return ex_id

    def is_linked(self, name: str, ex_id: str) -> bool:
        """Whether the node says that it reaches the controller."""
        links = self.cluster.node(self.cluster.daemons[name].pid)["links"]
        return any(link["connected"] for link in links if link["ex_id"] == ex_id)

    def workers(self, name: str, ex_id: str) -> int:
        """Worker processes of the execution on a node."""
        entries = self.cluster.node(self.cluster.daemons[name].pid)["active"]
        return sum(entry["ex_id"] == ex_id for entry in entries)

    def check(self, ex_id: str) -> int:
        """Everything is there exactly once; how many results were stale."""
        assert self.cluster.wait_until_over(ex_id) == "completed"
        counts = self.cluster.counts(ex_id)
        assert counts == {"pending": 0, "start": 0, "completed": self.slices, "error": 0}
        assert verify_execution(self.cluster.store(ex_id)).differences == ()
        assert written_ids(self.output) == Counter(range(self.slices))
        outcome = read_outcome(self.cluster.store(ex_id))
        assert outcome is not None
        return outcome.head.stale


@contextmanager
def network_in(folder: Path, settings: dict[str, Any]) -> Iterator[Network]:
    """A master, and no node yet."""
    cluster = Cluster(folder)
    port = free_port()
    with ExitStack() as stack:
        to_master = stack.enter_context(proxy(cluster.port))
        to_controller = stack.enter_context(proxy(port, host=CONTROLLERS, port=port))
        stack.callback(cluster.stop)
        stack.callback(to_master.heal)
        stack.callback(to_controller.heal)
        cluster.add_master(hostname=CONTROLLERS, slicer_port_range=f"{port}:{port}", **settings)
        yield Network(cluster, to_master, to_controller)


@pytest.fixture(scope="module")
def linked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """With one node; for tests of its link to controllers."""
    with network_in(tmp_path_factory.mktemp("linked"), PATIENT) as network:
        network.add_worker(**PATIENT)
        yield network
        network.to_controller.heal()


@pytest.fixture
def settings() -> dict[str, Any]:
    """Those of every daemon."""
    return PATIENT


@pytest.fixture
def network(tmp_path: Path, settings: dict[str, Any]) -> Iterator[Network]:
    """For tests that bring their nodes along."""
    with network_in(tmp_path, settings) as network:
        yield network


# --- daemon and controller


@pytest.mark.parametrize("outage", OUTAGES)
def test_a_daemon_that_lost_its_controller_for_longer_than_its_leases_last(
    linked: Network, outage: str
) -> None:
    ex_id = linked.submit()
    OUTAGES[outage](linked.to_controller)
    cluster = linked.cluster
    cluster.eventually(lambda: not linked.is_linked("worker", ex_id), "the broken link is shown")
    cluster.eventually(lambda: cluster.counts(ex_id)["start"] == 0, "the leases have ended")
    assert linked.workers("worker", ex_id) == 2
    linked.to_controller.heal()
    stale = linked.check(ex_id)
    assert stale > 0


@pytest.mark.parametrize("blink", BLINKS)
def test_a_link_that_blinks(linked: Network, blink: str) -> None:
    ex_id = linked.submit()
    BLINKS[blink](linked.to_controller)
    linked.check(ex_id)


@pytest.mark.parametrize("settings", [IMPATIENT])
def test_the_share_of_a_node_that_reaches_the_master_only_is_placed_elsewhere(network: Network) -> None:
    cut_off = network.add_worker("cut-off", **IMPATIENT)
    ex_id = network.submit(slices=MANY, done=50)
    network.add_worker("other", **IMPATIENT)
    network.to_controller.concern(cut_off.pid)
    network.to_controller.cut()
    cluster = network.cluster
    cluster.eventually(lambda: network.workers("other", ex_id) == 2, "the share is placed elsewhere")
    assert cluster.node(cut_off.pid)["state"] == "connected"
    network.to_controller.heal()
    cluster.eventually(lambda: not network.workers("cut-off", ex_id), "the surplus is gone")
    network.check(ex_id)


# --- daemon and master


@pytest.mark.parametrize("outage", ["cut", "stalled", "swallowed"])
def test_work_goes_on_without_the_master(network: Network, outage: str) -> None:
    daemon = network.add_worker(**PATIENT)
    ex_id = network.submit()
    OUTAGES[outage](network.to_master)
    cluster = network.cluster
    cluster.eventually(lambda: cluster.node(daemon.pid)["state"] == "disconnected", "the node is missed")
    network.check(ex_id)
    network.to_master.heal()
    cluster.wait_for_node("worker")
    cluster.wait_until_gone(ex_id)


@pytest.mark.parametrize("settings", [IMPATIENT])
def test_the_share_of_a_silent_node_is_placed_elsewhere_and_the_surplus_drains(network: Network) -> None:
    silent = network.add_worker("silent", **IMPATIENT)
    ex_id = network.submit(slices=MANY, done=50)
    network.add_worker("other", **IMPATIENT)
    network.to_master.concern(silent.pid)
    network.to_master.swallow()
    cluster = network.cluster
    cluster.eventually(lambda: network.workers("other", ex_id) == 2, "the share is placed elsewhere")
    network.to_master.heal()
    cluster.wait_for_node("silent")
    cluster.eventually(lambda: not network.workers("silent", ex_id), "the surplus is gone")
    network.check(ex_id)


# --- controller and master


@pytest.fixture
def between(network: Network) -> Iterator[tuple[Proxy, str]]:
    """A proxy between the controller of an execution and the master, which has moved to another port."""
    network.add_worker(**PATIENT)
    ex_id = network.submit(slices=400, done=20, ms=100)
    cluster = network.cluster
    before = cluster.port
    cluster.kill("master")
    cluster.port = network.to_master.target = free_port()
    config = cluster.daemons["master"].config
    config.write_text(config.read_text().replace(f"port = {before}\n", f"port = {cluster.port}\n"))
    with proxy(cluster.port, port=before) as line:
        cluster.start("master")
        cluster.wait_for_node("worker")
        cluster.wait_status(ex_id, "running")
        yield line, ex_id
        line.heal()


def test_a_controller_that_loses_the_master_for_a_moment_stays(
    network: Network, between: tuple[Proxy, str]
) -> None:
    line, ex_id = between
    (controller,) = network.cluster.pids("execution_controller", ex_id)
    line.cut()
    network.cluster.eventually(lambda: not is_attached(network.cluster, ex_id), "the controller is missed")
    line.heal()
    network.cluster.eventually(lambda: is_attached(network.cluster, ex_id), "the controller is back")
    assert network.cluster.pids("execution_controller", ex_id) == [controller]
    network.check(ex_id)


def test_a_controller_that_stays_cut_off_from_the_master_is_replaced(
    network: Network, between: tuple[Proxy, str]
) -> None:
    line, ex_id = between
    (controller,) = network.cluster.pids("execution_controller", ex_id)
    line.swallow()
    cluster = network.cluster
    cluster.eventually(lambda: not is_alive(controller), "the controller is ended")
    network.check(ex_id)


def is_attached(cluster: Cluster, ex_id: str) -> bool:
    """Whether the execution has a controller that the master talks with."""
    return ex_id in [entry["ex_id"] for entry in cluster.get("/cluster/controllers")]
