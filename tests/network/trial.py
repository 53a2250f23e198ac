"""`make test-network`: the link between two hosts is broken for a minute in five ways, and healed.

Host a has the master, the controllers and a node with two workers, host b another such node.  While the link
is broken the slices of b are given to a; what b finished meanwhile comes too late and is counted as stale.
Each way has two hosts of its own, and all run at once.  What is shown is when each thing was noticed, and
that at the end every slice is there exactly once.  `python -m tests.network.trial [SECONDS]`.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sliceworks.master.store.history import read_outcome, read_slices
from sliceworks.master.store.verify import verify_execution
from tests.acceptance.harness import MARK, Cluster, Daemon, write_config
from tests.acceptance.jobs import delay, exporter, generated, written_ids
from tests.network.hosts import A, B, Hosts, missing, two_hosts

FAULTS = {
    "link down": Hosts.down,
    "silent drop": Hosts.drop,
    "reset": Hosts.reject,
    "b hears nothing": Hosts.deaf,
    "a hears nothing": Hosts.mute,
}
SETTINGS = {"node_state_interval": "2s", "lease_timeout": "10s"}
SLICE_MS, WORKERS = 100, 2
CLONE_NEWNET = 0x4000_0000


def main() -> int:
    """All faults at once, each in a process of its own; the exit code says whether all went well."""
    if reason := missing():
        print(f"skipped: {reason}")
        return 0
    seconds = sys.argv[1] if len(sys.argv) > 1 else "60"
    children = {
        fault: subprocess.Popen(
            [sys.executable, "-m", "tests.network.trial", seconds, fault], stdout=subprocess.PIPE, text=True
        )
        for fault in FAULTS
    }
    for fault, child in children.items():
        output, _ = child.communicate()
        print(f"\n{fault} for {seconds} s\n{output}", end="")
    failed = [fault for fault, child in children.items() if child.returncode]
    print(f"\n{len(FAULTS) - len(failed)} of {len(FAULTS)} faults: completed, nothing lost", *failed)
    return 1 if failed else 0


def one(fault: str, seconds: float) -> int:
    """One fault between two hosts; what is seen of it is printed."""
    with tempfile.TemporaryDirectory(prefix="network-") as folder, two_hosts() as hosts:
        enter(hosts.a)
        cluster = Cluster(Path(folder))
        try:
            play(Trial(cluster, hosts, Path(folder) / "output"), fault, seconds)
        finally:
            hosts.heal()
            cluster.stop()
    return 0


class Trial:
    """A cluster over two hosts, and the story of it."""

    def __init__(self, cluster: Cluster, hosts: Hosts, output: Path) -> None:
        self.cluster = cluster
        self.hosts = hosts
        self.output = output
        self._started = time.monotonic()

    def start(self, slices: int) -> str:
        """An execution with workers on both hosts, a twentieth of it done."""
        cluster = self.cluster
        cluster.add_master(bind="0.0.0.0", hostname=A, **SETTINGS)
        cluster.add_worker("near", workers=WORKERS, **SETTINGS)
        self._start_far()
        steps = (delay(SLICE_MS), exporter(self.output, file_per_slice=True))
        ex_id = cluster.submit(generated(*steps, size=slices, workers=2 * WORKERS))
        cluster.wait_workers(ex_id, 2 * WORKERS)
        cluster.wait_completed(ex_id, slices // 20)
        return ex_id

    def say(self, text: str) -> None:
        """A line of the story."""
        print(f"  {time.monotonic() - self._started:6.1f} s  {text}", flush=True)

    def see(self, check: Callable[[], bool], text: str, *, seconds: float = 60) -> None:
        """Wait for something, and say it."""
        self.cluster.eventually(check, text, seconds=seconds)
        self.say(text)

    def node(self, name: str) -> dict[str, Any]:
        """What the master shows of a host's node."""
        return self.cluster.node(self.cluster.daemons[name].pid)

    def is_linked(self, ex_id: str) -> bool:
        """Whether b says that it reaches the controller."""
        return {"ex_id": ex_id, "connected": True} in self.node("far")["links"]

    def _start_far(self) -> None:
        folder = self.cluster.folder
        settings = {**SETTINGS, "port": self.cluster.port, "workers": WORKERS}
        config = write_config(
            folder / "far.toml", data_dir=str(folder / "far"), master_hostname=A, hostname=B, **settings
        )
        daemon = self.cluster.daemons["far"] = Daemon("worker", config, folder / "far.log")
        command = [sys.executable, "-m", "sliceworks.cli", "worker", "--config", str(config)]
        with daemon.log.open("ab") as log:
            daemon.process = subprocess.Popen(
                [*self.hosts.command(self.hosts.b), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, MARK: self.cluster.mark},
                start_new_session=True,
            )
        self.cluster.wait_for_node("far")


def play(trial: Trial, fault: str, seconds: float) -> None:
    """Break, watch, heal, and count."""
    slices = int(1.5 * seconds * WORKERS * 1000 / SLICE_MS)
    cluster = trial.cluster
    ex_id = trial.start(slices)
    trial.say(f"{cluster.counts(ex_id)['completed']} of {slices} slices are done, by a and b")
    broken = time.monotonic()
    FAULTS[fault](trial.hosts)
    trial.say(f"the link is broken: {fault}")
    trial.see(lambda: trial.node("far")["state"] == "disconnected", "the master misses b")
    done = cluster.counts(ex_id)["completed"]
    trial.see(lambda: cluster.counts(ex_id)["completed"] > done + 20, "a goes on alone")
    time.sleep(max(0.0, broken + seconds - time.monotonic()))
    trial.hosts.heal()
    trial.say(f"the link is healed; {cluster.counts(ex_id)['completed']} slices are done")
    trial.see(lambda: trial.node("far")["state"] == "connected", "b is back")
    trial.see(lambda: trial.is_linked(ex_id), "b reaches the controller")
    verdict(trial, ex_id, slices)


def verdict(trial: Trial, ex_id: str, slices: int) -> None:
    """Everything is there exactly once."""
    status = trial.cluster.wait_until_over(ex_id, seconds=300)
    store = trial.cluster.store(ex_id)
    report, outcome = verify_execution(store), read_outcome(store)
    stale = outcome.head.stale if outcome else -1
    written = written_ids(trial.output)
    records = read_slices(store, state=None, size=slices, offset=0)
    again = sum(len(record["attempts"]) - 1 for record in records)
    trial.say(
        f"{status}: {report.counts.completed} of {slices} slices completed, {again} given out again, "
        f"{stale} stale results, "
        f"verify {'ok' if report.ok else report.differences}, "
        f"output {'as it must be' if written == Counter(range(slices)) else 'WRONG'}"
    )
    assert status == "completed"
    assert report.ok
    assert written == Counter(range(slices))


def enter(host: str) -> None:
    """Move this process, and all that it starts, to a host."""
    with Path(f"/run/netns/{host}").open("rb") as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {host}")


if __name__ == "__main__":
    sys.exit(one(sys.argv[2], float(sys.argv[1])) if len(sys.argv) > 2 else main())
