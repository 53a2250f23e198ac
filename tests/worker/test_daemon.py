"""The daemon as a process: it serves, drains, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sliceworks.protocol.messages import AckResults, Assignment, Assignments, RunSlices, WorkerInfo
from sliceworks.protocol.process import identity_of
from sliceworks.protocol.states import ResultKind

if TYPE_CHECKING:
    from tests.worker.conftest import FakeController, FakeMaster

Assigner = Callable[..., Assignment]

PROGRAM = """
import sys
from pathlib import Path
from sliceworks.protocol.config import load_settings
from sliceworks.worker.daemon import run_worker
flags = {"port": int(sys.argv[1]), "data_dir": sys.argv[2], "workers": 2, "shutdown_timeout": "20s"}
sys.exit(run_worker(load_settings(file=None, environment={}, flags=flags).settings))
"""


@contextmanager
def daemon(port: int, data_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(port), str(data_dir)], env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def fork_server_of(process: subprocess.Popen[bytes]) -> int:
    return int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])


async def gone(workers: list[WorkerInfo]) -> None:
    """Wait until none of the processes lives."""
    async with asyncio.timeout(10):
        while any(identity_of(worker.pid) for worker in workers):  # noqa: ASYNC110 - not our children
            await asyncio.sleep(0.01)


async def ended(process: subprocess.Popen[bytes]) -> int:
    return await asyncio.to_thread(process.wait, 30)


async def with_workers(master: FakeMaster, assignment: Assignment, count: int) -> list[WorkerInfo]:
    """Assign, and wait for workers that are ready."""
    await master.until(lambda: master.channel)
    await master.send(Assignments(1, [assignment]))
    states = ["idle"] * count
    await master.until(
        lambda: master.states and [worker.state for worker in master.states[-1].workers] == states
    )
    return master.states[-1].workers


async def test_it_serves_until_sigterm_and_then_drains(
    master: FakeMaster, controller: FakeController, assign: Assigner, tmp_path: Path
) -> None:
    with daemon(master.port, tmp_path / "data") as process:
        workers = await with_workers(master, assign(2, {"_op": "delay", "ms": 1_500}), 2)
        hello = master.hellos[0]
        assert (hello.slots, hello.pid) == (2, process.pid)
        await controller.until(lambda: controller.channel)
        await controller.send(RunSlices([1, 2, 3], [1, 1, 1], [b'{"start": 0, "count": 1}'] * 3))
        await master.until(lambda: "busy" in [worker.state for worker in master.states[-1].workers])
        process.send_signal(signal.SIGTERM)
        await controller.until(lambda: len(controller.kinds()) == 3)
        await controller.send(AckResults(controller.results[-1].batch))
        assert await ended(process) == 0
    assert controller.kinds() == {1: ResultKind.COMPLETED, 2: ResultKind.COMPLETED, 3: ResultKind.RETURNED}
    last = master.states[-1]
    assert (last.draining, last.workers) == (True, [])
    await gone(workers)


async def test_its_workers_die_with_it_and_its_successor_is_the_same_node(
    master: FakeMaster, controller: FakeController, assign: Assigner, tmp_path: Path
) -> None:
    with daemon(master.port, tmp_path) as process:
        workers = await with_workers(master, assign(2), 2)
        process.kill()
        await ended(process)
        await gone(workers)
    with daemon(master.port, tmp_path):
        await master.until(lambda: len(master.hellos) == 2)
    first, second = master.hellos
    assert first.node_id == second.node_id
    assert first.incarnation != second.incarnation


async def test_a_dead_fork_server_costs_workers_but_not_the_daemon(
    master: FakeMaster, controller: FakeController, assign: Assigner, tmp_path: Path
) -> None:
    with daemon(master.port, tmp_path) as process:
        workers = await with_workers(master, assign(2), 2)
        os.kill(fork_server_of(process), signal.SIGKILL)
        await gone(workers)
        await master.until(
            lambda: (
                [(worker.worker_id > 2, worker.state) for worker in master.states[-1].workers]
                == [(True, "idle")] * 2
            )
        )
        process.send_signal(signal.SIGTERM)
        assert await ended(process) == 0


async def test_a_second_daemon_in_the_same_folder_is_refused(
    master: FakeMaster, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with daemon(master.port, tmp_path):
        await master.until(lambda: master.hellos)
        with daemon(master.port, tmp_path) as second:
            assert await ended(second) == 1
    assert "is in use by process" in capfd.readouterr().err
