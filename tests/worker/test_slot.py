"""Real worker processes: what they answer, and what is told of their end."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sliceworks.protocol.messages import HostResults, RunSlices
from sliceworks.protocol.process import identity_of
from sliceworks.protocol.states import ResultKind
from sliceworks.worker import memory_kills
from sliceworks.worker.events import WorkerExited, WorkerReady, WorkerResults, WorkerStartFailed
from sliceworks.worker.slot import Slot, Told, WorkerForked, Workshop
from sliceworks.worker.start import WorkerStart

NOOP = {"_op": "noop"}
SLOW = {"_op": "delay", "ms": 600_000}


class Employer:
    """A slot, and what it told."""

    def __init__(self, workshop: Workshop, execution: bytes, operations: list[str]) -> None:
        self.told: list[Told] = []
        self._news = asyncio.Event()
        start = WorkerStart(12, "ex", "node-1", "node-a", execution, False, "warn", "json")
        self.slot = Slot(start, workshop, operations=operations, tell=self._tell)

    def _tell(self, event: Told) -> None:
        self.told.append(event)
        self._news.set()

    async def until(self, kind: type[Told]) -> Told:
        async with asyncio.timeout(20):
            while not (found := [event for event in self.told if isinstance(event, kind)]):
                self._news.clear()
                await self._news.wait()
        return found[-1]

    async def results_of(self, slices: int) -> list[HostResults]:
        """All frames, as soon as they tell of so many slices: a busy machine makes more frames of them."""
        async with asyncio.timeout(20):
            while True:
                frames = [event.results for event in self.told if isinstance(event, WorkerResults)]
                if sum(len(frame.seqs) for frame in frames) >= slices:
                    return frames
                self._news.clear()
                await self._news.wait()

    async def end(self) -> WorkerExited:
        event = await self.until(WorkerExited)
        assert isinstance(event, WorkerExited)
        return event


@asynccontextmanager
async def hired(workshop: Workshop, execution: bytes, *operations: str) -> AsyncIterator[Employer]:
    employer = Employer(workshop, execution, ["data_generator", *operations])
    async with asyncio.TaskGroup() as group:
        employer.slot.live(group)
        try:
            yield employer
        finally:
            employer.slot.kill()


@pytest.fixture
def memory_cgroup() -> Iterator[Path]:
    """A memory cgroup with 150 MB and no swap, of version 2 or 1."""
    parent = _memory_cgroup_of(os.getpid())
    folder = parent / f"sliceworks-test-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no memory cgroup can be made here: {error}")
    try:
        for name in ("memory.max", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"):
            if (folder / name).exists():
                (folder / name).write_text("150000000")
        if not (folder / "memory.max").exists() and not (folder / "memory.limit_in_bytes").exists():
            pytest.skip("the memory controller is not given to cgroups here")
        yield folder
    finally:
        folder.rmdir()


def _memory_cgroup_of(pid: int) -> Path:
    files = [file for file in memory_kills._cgroup_files(pid) if file.parent.is_dir()]
    if not files:
        pytest.skip("there is no memory cgroup here")
    return files[0].parent


def greedy(seq: int) -> RunSlices:
    """A slice of records that fit into no memory."""
    return RunSlices([seq], [1], [b'{"start": 0, "count": 5000000}'])


def slices(*seqs: int) -> RunSlices:
    request = b'{"start": 0, "count": 3}'
    return RunSlices(list(seqs), [1] * len(seqs), [request] * len(seqs))


async def test_a_worker_runs_slices_and_ends_when_told(
    workshop: Workshop, execution: Callable[..., bytes]
) -> None:
    async with hired(workshop, execution(NOOP), "noop") as employer:
        await employer.until(WorkerReady)
        employer.slot.give(slices(1, 2, 3))
        frames = await employer.results_of(3)
        assert [seq for frame in frames for seq in frame.seqs] == [1, 2, 3]
        assert b"".join(frame.kinds for frame in frames) == bytes(3)
        totals = [total for frame in frames for total in frame.operations]
        for op in (0, 1):
            assert sum(total.slices for total in totals if total.op == op) == 3
            assert sum(total.records_out for total in totals if total.op == op) == 9
        employer.slot.finish()
        end = await employer.end()
    assert (end.exit_code, end.signal, end.seq) == (0, None, 0)
    assert end.cause == f"worker 12 (pid {employer.slot.pid}) on node-a ended with exit code 0"
    assert isinstance(employer.told[0], WorkerForked)


async def test_the_slice_in_hand_of_a_killed_worker_is_known(
    workshop: Workshop, execution: Callable[..., bytes]
) -> None:
    async with hired(workshop, execution(SLOW), "delay") as employer:
        await employer.until(WorkerReady)
        employer.slot.give(slices(7, 8))
        await _busy(employer.slot)
        os.kill(employer.slot.pid, signal.SIGKILL)
        end = await employer.end()
    assert (end.seq, end.op, end.exit_code, end.signal) == (7, "delay", None, 9)
    assert end.cause.endswith("on node-a was killed by signal 9 (SIGKILL)")
    assert end.started_ms > 0
    assert end.run_us >= 0


async def test_the_last_lines_of_a_crashed_worker_are_told(
    workshop: Workshop, execution: Callable[..., bytes]
) -> None:
    async with hired(workshop, execution(SLOW), "delay") as employer:
        await employer.until(WorkerReady)
        employer.slot.give(slices(7))
        await _busy(employer.slot)
        os.kill(employer.slot.pid, signal.SIGSEGV)
        end = await employer.end()
    assert (end.seq, end.signal) == (7, signal.SIGSEGV)
    assert "Fatal Python error: Segmentation fault" in end.log_tail
    assert "delay.py" in end.log_tail


async def test_what_a_worker_has_in_hand_can_be_seen(
    workshop: Workshop, execution: Callable[..., bytes]
) -> None:
    async with hired(workshop, execution(SLOW), "delay") as employer:
        assert employer.slot.in_hand().seq == 0
        await employer.until(WorkerReady)
        employer.slot.give(slices(7))
        await _busy(employer.slot)
        seen = employer.slot.in_hand()
        now = workshop.clock.monotonic_ms()
    assert seen.seq == 7
    assert 0 < seen.begun_ms <= now


async def test_memory_that_is_refused_is_an_operation_error_and_the_worker_goes_on(
    workshop: Workshop, execution: Callable[..., bytes]
) -> None:
    async with hired(workshop, execution(NOOP), "noop") as employer:
        await employer.until(WorkerReady)
        limit = _address_space(employer.slot.pid) + 100_000_000
        resource.prlimit(employer.slot.pid, resource.RLIMIT_AS, (limit, limit))
        employer.slot.give(greedy(1))
        event = await employer.until(WorkerResults)
        assert isinstance(event, WorkerResults)
        assert event.results.kinds == bytes([ResultKind.ERROR])
        assert "MemoryError" in event.results.details[0].error
        assert event.results.details[0].op == "data_generator"
        employer.told.remove(event)
        employer.slot.give(slices(2))
        event = await employer.until(WorkerResults)
        assert isinstance(event, WorkerResults)
        assert event.results.kinds == bytes([ResultKind.COMPLETED])


async def test_a_worker_that_the_kernel_killed_for_want_of_memory(
    workshop: Workshop, execution: Callable[..., bytes], memory_cgroup: Path
) -> None:
    async with hired(workshop, execution(NOOP), "noop") as scout:
        await scout.until(WorkerReady)
        fork_server = _parent_of(scout.slot.pid)
    procs = memory_cgroup / "cgroup.procs"
    home = _memory_cgroup_of(fork_server)
    procs.write_text(str(fork_server))
    try:
        async with hired(workshop, execution(NOOP), "noop") as employer:
            await employer.until(WorkerReady)
            employer.slot.give(greedy(1))
            end = await employer.end()
    finally:
        (home / "cgroup.procs").write_text(str(fork_server))
    assert (end.seq, end.signal) == (1, 9)
    assert "for want of memory: meanwhile oom_kill rose by 1" in end.cause


async def test_a_worker_that_cannot_start_says_why(
    workshop: Workshop, execution: Callable[..., bytes]
) -> None:
    async with hired(workshop, execution({"_op": "no_such_operation"}), "no_such_operation") as employer:
        failed = await employer.until(WorkerStartFailed)
        end = await employer.end()
    assert isinstance(failed, WorkerStartFailed)
    assert "no_such_operation" in failed.error
    assert "Traceback" in failed.error
    assert end.exit_code == 1


async def test_a_worker_survives_signals_that_are_the_daemons_affair(
    workshop: Workshop, execution: Callable[..., bytes]
) -> None:
    async with hired(workshop, execution(NOOP), "noop") as employer:
        await employer.until(WorkerReady)
        os.kill(employer.slot.pid, signal.SIGTERM)
        os.kill(employer.slot.pid, signal.SIGINT)
        employer.slot.give(slices(1))
        await employer.until(WorkerResults)
        employer.slot.finish()
        assert (await employer.end()).exit_code == 0


async def test_a_finishing_worker_returns_what_it_has_not_begun(
    workshop: Workshop, execution: Callable[..., bytes]
) -> None:
    async with hired(workshop, execution({"_op": "delay", "ms": 1_000}), "delay") as employer:
        await employer.until(WorkerReady)
        employer.slot.give(slices(1, 2, 3))
        await _busy(employer.slot)
        employer.slot.finish()
        end = await employer.end()
    kinds: dict[int, int] = {}
    for event in employer.told:
        if isinstance(event, WorkerResults):
            kinds |= dict(zip(event.results.seqs, event.results.kinds, strict=True))
    assert kinds == {1: ResultKind.COMPLETED, 2: ResultKind.RETURNED, 3: ResultKind.RETURNED}
    assert end.exit_code == 0


async def test_a_worker_that_is_killed_before_it_is_a_process_leaves_none(
    workshop: Workshop, execution: Callable[..., bytes]
) -> None:
    async with hired(workshop, execution(NOOP), "noop") as employer:
        employer.slot.kill()
        assert (await employer.end()).cause == "worker 12 was not started"
    assert employer.slot.pid == 0


async def test_a_worker_waits_for_a_place(workshop: Workshop, execution: Callable[..., bytes]) -> None:
    for _ in range(3):
        await workshop.places.acquire()
    async with hired(workshop, execution(NOOP), "noop") as employer:
        await asyncio.sleep(0)
        assert not employer.slot.placed
        workshop.places.release()
        await employer.until(WorkerReady)
        assert employer.slot.placed


async def test_a_worker_whose_pipe_breaks_is_killed(
    workshop: Workshop, execution: Callable[..., bytes]
) -> None:
    async with hired(workshop, execution(NOOP), "noop") as employer:
        await employer.until(WorkerReady)
        employer.slot._on_closed("wrong bytes")
        end = await employer.end()
    assert end.cause.endswith("was killed because its pipe broke: wrong bytes")
    assert identity_of(employer.slot.pid) is None


async def _busy(slot: Slot) -> None:
    """Wait until the worker sleeps in its slow operation."""
    async with asyncio.timeout(20):
        while not _sleeps(slot.pid):  # noqa: ASYNC110 - the worker cannot tell us, it sleeps
            await asyncio.sleep(0.01)


def _address_space(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()


def _parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _sleeps(pid: int) -> bool:
    return "nanosleep" in Path(f"/proc/{pid}/wchan").read_text()
