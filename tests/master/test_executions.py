"""Controllers as real processes: started, adopted, killed, and what they leave."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sliceworks.master import executions
from sliceworks.master.cluster import effects as ef
from sliceworks.master.cluster import events as ev
from sliceworks.master.commands import execution_document
from sliceworks.master.executions import ControllerProcesses, ControllerSetup, recorded_alive
from sliceworks.master.store.batch import Head
from sliceworks.master.store.execution import ExecutionStore, store_path
from sliceworks.master.store.history import StoredOutcome
from sliceworks.operations.validation import validate_job
from sliceworks.protocol.forkserver import ForkServer
from sliceworks.protocol.messages import SliceCounts, Wishes
from sliceworks.protocol.process import Identity, end_process, identity_of, is_alive, wait_dead
from sliceworks.protocol.settings import Settings

JOB = {"operations": [{"_op": "data_generator"}, {"_op": "noop"}]}


class Told:
    """What the processes said."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[ev.Event] = asyncio.Queue()

    def __call__(self, event: ev.Event) -> None:
        self._queue.put_nowait(event)

    async def next(self) -> ev.Event:
        async with asyncio.timeout(20):
            return await self._queue.get()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def processes(tmp_path: Path, told: Told) -> AsyncIterator[ControllerProcesses]:
    """Without a master that anything could connect to."""
    settings = Settings(data_dir=tmp_path, log_level="fatal")
    async with ForkServer.start("sliceworks.master.children") as forks:
        setup = ControllerSetup(settings, "http://127.0.0.1:1")
        async with ControllerProcesses(forks, setup, told) as running:
            yield running


def order(ex_id: str = "ex") -> ef.SpawnController:
    document = execution_document(validate_job(JOB), "job", ex_id)
    wishes = Wishes(1, paused=False, stopping=False, grace_ms=0)
    return ef.SpawnController(ex_id, "job", 1, b"secret", wishes, document)


def bystander() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)


async def test_a_controller_is_started_and_its_end_is_told(
    processes: ControllerProcesses, told: Told
) -> None:
    processes.spawn(order())
    spawned = await told.next()
    assert isinstance(spawned, ev.ControllerSpawned)
    assert is_alive(spawned.identity)
    processes.end(ef.EndController("ex", spawned.identity))
    assert await told.next() == ev.ControllerExited("ex", 1, "it was ended by signal 9 (SIGKILL)")
    assert not is_alive(spawned.identity)


async def test_a_controller_outlives_its_master(tmp_path: Path, told: Told) -> None:
    setup = ControllerSetup(Settings(data_dir=tmp_path, log_level="fatal"), "http://127.0.0.1:1")
    async with (
        ForkServer.start("sliceworks.master.children") as forks,
        ControllerProcesses(forks, setup, told) as processes,
    ):
        processes.spawn(order())
        spawned = await told.next()
        processes.release(ef.ReleaseController("ex", 1))
    assert isinstance(spawned, ev.ControllerSpawned)
    assert recorded_alive(spawned.identity)
    await end_process(spawned.identity, grace_seconds=0)


async def test_a_controller_that_was_not_released_ends_with_its_master(tmp_path: Path, told: Told) -> None:
    setup = ControllerSetup(Settings(data_dir=tmp_path, log_level="fatal"), "http://127.0.0.1:1")
    async with ForkServer.start("sliceworks.master.children") as forks:
        async with ControllerProcesses(forks, setup, told) as processes:
            processes.spawn(order())
            spawned = await told.next()
        assert isinstance(spawned, ev.ControllerSpawned)
        with contextlib.suppress(ProcessLookupError):
            await wait_dead(os.pidfd_open(spawned.identity.pid))
    assert not (tmp_path / "ex").exists(), "it touches nothing before it is released"


async def test_the_end_of_an_adopted_controller_is_told(processes: ControllerProcesses, told: Told) -> None:
    with bystander() as process:
        identity = identity_of(process.pid)
        assert identity is not None
        processes.watch(ef.WatchController("ex", 3, identity))
        process.kill()
        exited = await told.next()
    assert isinstance(exited, ev.ControllerExited)
    assert exited.generation == 3


async def test_another_process_with_its_pid_is_not_taken_for_it(
    processes: ControllerProcesses, told: Told
) -> None:
    with bystander() as process:
        processes.watch(ef.WatchController("ex", 3, Identity(process.pid, 1, "another boot")))
        processes.end(ef.EndController("ex", Identity(process.pid, 1, "another boot")))
        assert isinstance(await told.next(), ev.ControllerExited)
        assert process.poll() is None
        process.kill()


async def test_an_execution_without_a_store_left_nothing(processes: ControllerProcesses, told: Told) -> None:
    processes.inspect(ef.InspectStore("ex", 2))
    assert await told.next() == ev.StoreInspected("ex", 2, None, SliceCounts())


async def test_an_execution_that_only_began_left_no_outcome(
    processes: ControllerProcesses, told: Told, tmp_path: Path
) -> None:
    store = ExecutionStore.open(store_path(tmp_path, "ex"), ex_id="ex", generation=1, durability="process")
    store.close()
    processes.inspect(ef.InspectStore("ex", 1))
    assert await told.next() == ev.StoreInspected("ex", 1, None, SliceCounts())


async def test_an_outcome_is_read_with_its_figures(
    processes: ControllerProcesses, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = Head(completed=3, error=1, started_ms=1_000, ended_ms=4_000, failure="why", outcome="failed")
    counts = SliceCounts(completed=3, error=1)
    left = StoredOutcome("failed", "because", head, slicers=2, counts=counts, operations=[])
    monkeypatch.setattr(executions, "read_outcome", lambda _: left)
    monkeypatch.setattr(executions, "read_counts", lambda _: counts)
    processes.inspect(ef.InspectStore("ex", 1))
    inspected = await told.next()
    assert isinstance(inspected, ev.StoreInspected)
    assert inspected.outcome is not None
    assert (inspected.outcome.status, inspected.outcome.failure) == ("failed", "because")
    report = inspected.outcome.report
    assert (report.failure, report.counts) == ("why", counts)
    assert (report.statistics.processed, report.statistics.job_duration, report.statistics.slicers) == (
        4,
        3,
        2,
    )


async def test_a_store_that_cannot_be_read_is_as_good_as_none(
    processes: ControllerProcesses, told: Told, tmp_path: Path
) -> None:
    path = store_path(tmp_path, "ex")
    path.parent.mkdir()
    path.write_bytes(b"no database" * 1_000)
    processes.inspect(ef.InspectStore("ex", 1))
    assert await told.next() == ev.StoreInspected("ex", 1, None, SliceCounts())


def test_no_record_is_no_process() -> None:
    assert not recorded_alive(None)
