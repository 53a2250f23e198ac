"""The harness: what a test of an operation sees is what a worker does."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path
from typing import Any, ClassVar

import pytest

from sliceworks.operations import (
    BatchProcessor,
    DataEntity,
    FatalSliceError,
    Fetcher,
    MapProcessor,
    Observer,
    OperationAPI,
    ParallelSlicer,
    Record,
    Records,
    Recovery,
    Slicer,
    StrictOptions,
)
from sliceworks.operations.errors import ShutdownError
from sliceworks.operations.harness import OperationHarness, run_job, run_slicer
from sliceworks.operations.record import RecordBatch
from sliceworks.protocol.errors import InvalidError
from sliceworks.protocol.ids import SliceId


class Add(MapProcessor):
    """Adds a number; `async`, with hooks that are counted."""

    class Options(StrictOptions):
        by: int

    op_config: Options
    seen: ClassVar[list[str]] = []

    async def initialize(self) -> None:
        self.seen.append("initialize")

    async def map(self, record: Record) -> Record:
        await asyncio.sleep(0)
        if record["n"] is None:
            message = "n is null"
            raise ValueError(message)
        return {"n": record["n"] + self.op_config.by}

    def on_slice_retry(self, slice_id: SliceId) -> None:
        self.seen.append(f"retry {slice_id}")

    def shutdown(self) -> None:
        self.seen.append("shutdown")


class Held(BatchProcessor):
    """Holds all records back until the flush."""

    def initialize(self) -> None:
        self._held: Records = []
        self._flushes = False

    def on_batch(self, records: Records) -> Records:
        self._held += records
        if not self._flushes:
            return []
        return [{"held": len(self._held)}]

    def on_flush_start(self) -> None:
        self._flushes = True


class Numbers(Slicer):
    """Counts to `size`, three numbers a call."""

    class Options(StrictOptions):
        size: int = 7

    op_config: Options
    _next = 0

    def is_recoverable(self) -> bool:
        return True

    def initialize(self, recovery: Recovery) -> None:
        if recovery:
            self._next = recovery[0]["last_slice"]["n"] + 1

    async def slice(self) -> Any:
        numbers = range(self._next, min(self._next + 3, self.op_config.size))
        self._next = numbers.stop
        return [{"n": n} for n in numbers] or None


class ReadNumber(Fetcher):
    Options = Numbers.Options

    def fetch(self, request: Any) -> Records:
        return [request]


class Halves(ParallelSlicer):
    def new_slicer(self, slicer_id: int) -> Any:
        rest = [2, 1]
        return lambda: {"slicer": slicer_id, "rest": rest.pop()} if rest else None


def test_one_operation() -> None:
    Add.seen.clear()
    with OperationHarness(Add, {"by": 2}) as add:
        assert add.run([{"n": 1}, {"n": 5}]) == [{"n": 3}, {"n": 7}]
        assert add.run([]) == []
        with pytest.raises(ValueError, match="n is null"):
            add.run([{"n": 0}, {"n": None}])
        assert add.run([{"n": 1}], retries=1) == [{"n": 3}]
        assert add.operation.op_config.by == 2
    assert Add.seen == ["initialize", "retry slice-4", "shutdown"]
    with pytest.raises(RuntimeError, match="closed"):
        add.run([])


def test_wrong_options() -> None:
    with pytest.raises(InvalidError, match="operation Add, option by: is required"):
        OperationHarness(Add)
    with pytest.raises(InvalidError, match="operation Numbers, option sise: there is no such option"):
        run_slicer(Numbers, {"sise": 1})


def test_an_operation_that_cannot_start_leaves_nothing() -> None:
    class Failing(BatchProcessor):
        def initialize(self) -> None:
            message = "no"
            raise OSError(message)

    with pytest.raises(OSError, match="no"):
        OperationHarness(Failing)
    gc.collect()  # a loop or a folder that was left would warn


def test_bad_records_are_dropped_if_the_job_says_so() -> None:
    with OperationHarness(Add, {"by": 2, "_dead_letter_action": "none"}) as add:
        assert add.run([{"n": None}, {"n": 1}]) == [{"n": 3}]


def test_what_is_held_back_comes_at_the_end() -> None:
    with OperationHarness(Held) as held:
        assert held.run([{}, {}]) == []
        assert held.close() == [{"held": 2}]
        assert held.close() == []


def test_a_failing_shutdown_is_raised() -> None:
    class Stuck(BatchProcessor):
        def on_batch(self, records: Records) -> Records:
            return records

        def shutdown(self) -> None:
            message = "stuck"
            raise OSError(message)

    with pytest.raises(ShutdownError):
        OperationHarness(Stuck).close()


def test_metadata_go_in_and_out() -> None:
    class Tag(BatchProcessor):
        def on_batch(self, records: Records) -> Records:
            return [DataEntity(record, {"from": record.get_metadata("key")}) for record in records]  # type: ignore[attr-defined]

    with OperationHarness(Tag) as tag:
        [record] = tag.run([DataEntity({"a": object}, {"key": "k"})])
    assert isinstance(record, DataEntity)
    assert record.metadata == {"from": "k"}


def test_records_of_a_batch_come_with_their_metadata(tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_text("a\nb\n")
    options = {"path": str(path), "format": "raw"}
    [request] = run_slicer("file_reader", options).requests
    with OperationHarness("file_reader", options) as reader:
        records = reader.run(request)
    assert not isinstance(records, RecordBatch)
    assert [record.get_metadata("offset") for record in records] == [0, 2]  # type: ignore[attr-defined]


def test_an_operation_has_its_apis() -> None:
    class Counter(OperationAPI):
        count = 0

    class Watch(Observer):
        def on_slice_finished(self, slice_id: SliceId) -> None:
            self.get_api("counter").count += 10

    class Count(BatchProcessor):
        def on_batch(self, records: Records) -> Records:
            self.get_api("counter").count += len(records)
            return records

    apis = {"counter": Counter, "watch": Watch}
    with OperationHarness(Count, apis=apis) as count:
        count.run([{}, {}])
        assert count.get_api("counter").count == 12
    listed = {"apis": [{"_name": "counter:a"}]}
    with OperationHarness(Count, apis=apis, job=listed) as count, pytest.raises(LookupError):
        count.run([{}])


def test_the_scratch_folder_is_there_and_goes() -> None:
    with OperationHarness("noop") as noop:
        scratch = noop.operation.context.scratch
        assert scratch.is_dir()
    assert not scratch.exists()


async def test_it_cannot_be_used_in_a_running_loop() -> None:
    with pytest.raises(RuntimeError, match="an event loop of its own"):
        OperationHarness("noop")


def test_a_slicer_to_its_end_and_resumed() -> None:
    whole = run_slicer(Numbers)
    assert whole.requests == [{"n": n} for n in range(7)]
    assert whole.is_finished
    first = run_slicer(Numbers, limit=1)
    assert first.requests == whole.requests[:3]
    assert not first.is_finished
    assert first.recovery == [{"slicer_id": 0, "last_slice": {"n": 2}}]
    rest = run_slicer(Numbers, recovery=first.recovery)
    assert first.requests + rest.requests == whole.requests
    after = run_slicer(Numbers, recovery=rest.recovery)
    assert (after.requests, after.recovery, after.is_finished) == ([], rest.recovery, True)


def test_several_slicers_take_turns() -> None:
    made = run_slicer(Halves, job={"slicers": 2})
    assert [(request["slicer"], request["rest"]) for request in made.requests] == [
        (0, 1),
        (1, 1),
        (0, 2),
        (1, 2),
    ]
    assert [entry["slicer_id"] for entry in made.recovery] == [0, 1]


def test_a_persistent_slicer_ends_when_it_has_nothing_now() -> None:
    made = run_slicer(Numbers, job={"lifecycle": "persistent"})
    assert len(made.requests) == 7
    assert not made.is_finished


def test_a_whole_job() -> None:
    job = {"operations": [{"_op": "numbers", "size": 4}, {"_op": "add", "by": 1}, {"_op": "held"}]}
    classes: Any = {"numbers": (Numbers, ReadNumber), "add": Add, "held": Held}
    result = run_job(job, operations=classes)
    assert (result.slices, result.failed, result.records) == (4, [], [{"held": 4}])
    assert run_job(job, operations=classes, limit=2).records == [{"held": 2}]


def test_slices_that_fail_are_tried_again() -> None:
    class Flaky(BatchProcessor):
        def initialize(self) -> None:
            self.tries: dict[int, int] = {}

        def on_batch(self, records: Records) -> Records:
            n = records[0]["n"]
            self.tries[n] = self.tries.get(n, 0) + 1
            if n == 3:
                message = "never"
                raise FatalSliceError(message)
            if self.tries[n] <= n:
                message = f"try {self.tries[n]}"
                raise ValueError(message)
            return records

    classes: Any = {"numbers": (Numbers, ReadNumber), "flaky": Flaky}
    job = {"operations": [{"_op": "numbers", "size": 4}, {"_op": "flaky"}], "max_retries": 1}
    result = run_job(job, operations=classes)
    assert result.records == [{"n": 0}, {"n": 1}]
    assert [(failed.request, failed.op, failed.tries) for failed in result.failed] == [
        ({"n": 2}, "flaky", 2),
        ({"n": 3}, "flaky", 1),
    ]
    assert result.failed[0].error.startswith("flaky: ValueError: try 2")
    once = run_job({**job, "max_attempts": 1}, operations=classes)
    assert [failed.tries for failed in once.failed] == [1, 1, 1]


def test_a_bad_job_is_refused_with_all_its_faults() -> None:
    with pytest.raises(InvalidError) as caught:
        run_job({"operations": [{"_op": "data_generator", "size": 0}, {"_op": "add"}], "workers": True})
    assert {fault.path for fault in caught.value.faults} == {
        "operations.0.size",
        "operations.1._op",
        "workers",
    }
