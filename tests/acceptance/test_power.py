"""A power cut at any instant: no word leaves before what it says is on the disk, and what is there resumes.

The system calls of master and controller are traced. From them follows what was synced at the instant of each
message; a disk with nothing but that, at each sync, opens, is whole, and goes on.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from sliceworks.master.store.verify import verify_execution
from sliceworks.protocol.codec import Decoder
from sliceworks.protocol.messages import (
    AckResults,
    ControllerToDaemon,
    DaemonToController,
    RunSlices,
    SliceResults,
)
from tests.acceptance import system_calls
from tests.acceptance.disk_image import DiskImage
from tests.acceptance.frames import Frames
from tests.acceptance.harness import Cluster, marked_processes, running_cluster
from tests.acceptance.jobs import delay, generated
from tests.acceptance.system_calls import Event, Received, Sent, Synced

SLICES = 400
RESUMED = 3

pytestmark = pytest.mark.skipif(not system_calls.available(), reason="strace is not installed")


@dataclass
class Trial:
    """A run under a trace, and the disk as it was before."""

    ex_id: str
    trace: Path
    before: DiskImage

    @property
    def store(self) -> str:
        return f"ex/{self.ex_id}.db"


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """An execution whose worker is killed in its midst."""
    folder = tmp_path_factory.mktemp("power")
    with running_cluster(folder / "cluster", 4) as cluster:
        before = DiskImage(folder / "cluster" / "master")
        trace = folder / "trace"
        with system_calls.traced(_processes_of_the_master(cluster), trace):
            ex_id = cluster.submit(generated(delay(5), size=SLICES, workers=4))
            cluster.wait_completed(ex_id, SLICES // 3)
            os.kill(cluster.pids("worker", ex_id)[0], signal.SIGKILL)
            assert cluster.wait_until_over(ex_id) == "completed"
        return Trial(ex_id, trace, before)


def _processes_of_the_master(cluster: Cluster) -> list[int]:
    master = cluster.daemons["master"].pid
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    return [master, *(pid for pid in map(int, children) if pid in marked_processes(cluster.mark))]


@dataclass
class Watch:
    """Holds what is said against what is on the disk."""

    trial: Trial
    scratch: Path
    disk: DiskImage
    received: Frames[DaemonToController] = field(
        default_factory=lambda: Frames(Decoder[DaemonToController](DaemonToController))
    )
    sent: Frames[ControllerToDaemon] = field(
        default_factory=lambda: Frames(Decoder[ControllerToDaemon](ControllerToDaemon))
    )
    batches: dict[int, SliceResults] = field(default_factory=dict)
    acknowledged: int = 0
    leased: int = 0
    answered: int = 0

    def take(self, event: Event) -> None:
        self.disk.take(event)
        match event:
            case Received(pid, connection, data):
                for message in self.received.take((pid, connection), data):
                    if isinstance(message, SliceResults):
                        self.batches[message.batch] = message
            case Sent(pid, connection, data):
                self._check_answer(data)
                for order in self.sent.take((pid, connection), data):
                    self._check(order)

    def _check_answer(self, data: bytes) -> None:
        if data.startswith(b"HTTP/1.1 200") and b'"job_id"' in data and b'"ex_id"' in data:
            written = [self.disk.holds(f"cluster.db{end}", self.trial.ex_id.encode()) for end in ("", "-wal")]
            assert any(written), "a client was told of an execution that was not on the disk"
            self.answered += 1

    def _check(self, message: ControllerToDaemon) -> None:
        match message:
            case RunSlices(seqs, epochs):
                leases = self._read("SELECT seq, epoch FROM slices WHERE state > 0")
                missing = [seq for seq, epoch in zip(seqs, epochs, strict=True) if leases.get(seq, 0) < epoch]
                assert not missing, f"slices were sent whose lease was not on the disk: {missing}"
                self.leased += len(seqs)
            case AckResults(batch):
                first = self._read("SELECT seq, kind IS NOT NULL FROM slices")
                later = self._read("SELECT seq << 20 | epoch, kind IS NOT NULL FROM attempts")
                for number in [number for number in self.batches if number <= batch]:
                    results = self.batches.pop(number)
                    for seq, epoch in zip(results.seqs, results.epochs, strict=True):
                        told = first.get(seq) if epoch == 1 else later.get(seq << 20 | epoch)
                        assert told, f"the end of slice {seq}, attempt {epoch}, was acknowledged too early"
                    self.acknowledged += len(results.seqs)

    def _read(self, query: str) -> dict[int, int]:
        with TemporaryDirectory(dir=self.scratch) as folder:
            store = self.disk.copy_to(Path(folder)) / self.trial.store
            with closing(sqlite3.connect(store)) as database:
                return dict(database.execute(query).fetchall())


def test_nothing_is_said_before_it_is_on_the_disk(trial: Trial, tmp_path: Path) -> None:
    watch = Watch(trial, tmp_path, deepcopy(trial.before))
    for event in system_calls.in_order(trial.trace):
        watch.take(event)
    assert watch.answered >= 1
    assert watch.leased > SLICES
    assert watch.acknowledged > SLICES
    assert not watch.batches


def test_what_a_power_cut_leaves_opens_and_is_whole(trial: Trial, tmp_path: Path) -> None:
    """At every sync, with nothing but what was synced, and with some of what was not."""
    draw = random.Random(1)
    seen = 0
    for disk in _disks_at_syncs(trial):
        for torn in (None, draw):
            with TemporaryDirectory(dir=tmp_path) as folder:
                store = disk.copy_to(Path(folder), torn=torn) / trial.store
                with closing(sqlite3.connect(store)) as database:
                    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                    if not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                        continue  # not even the tables were there yet
                    if not database.execute("SELECT count(*) FROM execution").fetchone()[0]:
                        continue
                assert verify_execution(store).differences == ()
                seen += 1
    assert seen > SLICES / 10


def test_what_a_power_cut_leaves_is_resumed(trial: Trial, tmp_path: Path) -> None:
    """Every slice is accounted for once, from wherever it goes on."""
    draw = random.Random(2)
    disks = sum(1 for _ in _disks_at_syncs(trial))
    chosen = set(draw.sample(range(disks), RESUMED))
    for number, disk in enumerate(_disks_at_syncs(trial)):
        if number not in chosen:
            continue
        folder = tmp_path / str(number)
        disk.copy_to(folder / "master", torn=draw)
        with running_cluster(folder, 4, lease_timeout="1s", node_disconnect_timeout="2s") as cluster:
            assert cluster.wait_until_over(trial.ex_id) == "completed"
            assert cluster.counts(trial.ex_id) == {"pending": 0, "start": 0, "completed": SLICES, "error": 0}
            assert verify_execution(cluster.store(trial.ex_id)).ok


def _disks_at_syncs(trial: Trial) -> Iterator[DiskImage]:
    """The disk at each sync of a store, from the first one of the execution's own on."""
    disk = deepcopy(trial.before)
    for event in system_calls.in_order(trial.trace):
        disk.take(event)
        if isinstance(event, Synced) and event.path.endswith((".db", "-wal")) and disk.has(trial.store):
            yield disk
