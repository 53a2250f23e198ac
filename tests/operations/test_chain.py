"""The chain: one try of a slice, and how it ends."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from sliceworks.operations import (
    BatchProcessor,
    DataEntity,
    FatalSliceError,
    Fetcher,
    MapProcessor,
    Record,
    RecordBatch,
    Records,
)
from sliceworks.operations.chain import Chain, OperationContext
from sliceworks.operations.errors import ShutdownError
from sliceworks.protocol.errors import InvalidError
from sliceworks.protocol.messages import MAX_ERROR_CHARS
from sliceworks.protocol.states import ResultKind

GIVEN = {"_op": "given"}
NOOP = {"_op": "noop"}


class Keep(BatchProcessor):
    """Remembers what it was given."""

    seen: ClassVar[list[Records]] = []

    def initialize(self) -> None:
        type(self).seen = []

    def on_batch(self, records: Records) -> Records:
        self.seen.append(records)
        return records


def failing(error: BaseException) -> type[BatchProcessor]:
    class Failing(BatchProcessor):
        def on_batch(self, records: Records) -> Records:
            raise error

    return Failing


async def test_records_pass_through_all_operations(open_chain: Any, register: Any, task: Any) -> None:
    class AddOne(MapProcessor):
        def map(self, record: Record) -> Record:
            return {"n": record["n"] + 1}

    register("add_one", processor=AddOne)
    register("keep", processor=Keep)
    chain = await open_chain(GIVEN, {"_op": "add_one"}, {"_op": "add_one"}, {"_op": "keep"})
    outcome = await chain.run(task([{"n": 1}, {"n": 2}]))
    assert (outcome.kind, outcome.error, outcome.op) == (ResultKind.COMPLETED, "", "")
    assert Keep.seen == [[{"n": 3}, {"n": 4}]]


async def test_coroutine_methods_are_awaited(open_chain: Any, register: Any, task: Any) -> None:
    class SlowFetcher(Fetcher):
        async def fetch(self, request: Any) -> Records:
            await asyncio.sleep(0)
            return [{"n": request}]

    class SlowBatch(BatchProcessor):
        async def on_batch(self, records: Records) -> Records:
            await asyncio.sleep(0)
            return records * 2

    class SlowMap(MapProcessor):
        async def map(self, record: Record) -> Record:
            await asyncio.sleep(0)
            return record | {"slow": True}

    register("slow_reader", fetcher=SlowFetcher)
    register("slow_batch", processor=SlowBatch)
    register("slow_map", processor=SlowMap)
    register("keep", processor=Keep)
    chain = await open_chain(
        {"_op": "slow_reader"}, {"_op": "slow_batch"}, {"_op": "slow_map"}, {"_op": "keep"}
    )
    assert (await chain.run(task(7))).kind is ResultKind.COMPLETED
    assert Keep.seen == [[{"n": 7, "slow": True}] * 2]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError("no good"), ResultKind.ERROR),
        (FatalSliceError("no good"), ResultKind.FATAL),
        (SystemExit("no good"), ResultKind.ERROR),
        (RecursionError("no good"), ResultKind.ERROR),
        (asyncio.CancelledError("no good"), ResultKind.ERROR),
    ],
)
async def test_an_error_is_an_outcome(
    open_chain: Any, register: Any, task: Any, error: BaseException, kind: ResultKind
) -> None:
    register("failing", processor=failing(error))
    marker = [0]
    chain = await open_chain(GIVEN, NOOP, {"_op": "failing"}, marker=marker)
    outcome = await chain.run(task())
    assert (outcome.kind, outcome.op) == (kind, "failing")
    assert outcome.error.startswith("failing: ")
    assert "no good" in outcome.error
    assert "Traceback" in outcome.error
    assert "on_batch" in outcome.error
    assert marker == [0]
    assert (await chain.run(task())).kind is kind  # the chain goes on


async def test_an_error_text_has_its_limit_and_can_be_sent(open_chain: Any, register: Any, task: Any) -> None:
    register("failing", processor=failing(ValueError("\ud800" + "x" * 1_000_000)))
    outcome = await (await open_chain(GIVEN, {"_op": "failing"})).run(task())
    assert len(outcome.error) <= MAX_ERROR_CHARS
    assert outcome.error.encode()


async def test_a_request_that_is_no_json_is_an_error_of_the_reader(open_chain: Any, task: Any) -> None:
    broken = task()
    broken.request = b"{"
    outcome = await (await open_chain(GIVEN, NOOP)).run(broken)
    assert (outcome.kind, outcome.op) == (ResultKind.ERROR, "given")


@pytest.mark.parametrize("answer", [None, ({},), {}, "text"])
async def test_a_step_must_return_a_list(open_chain: Any, register: Any, task: Any, answer: Any) -> None:
    class Wrong(BatchProcessor):
        def on_batch(self, records: Records) -> Any:
            return answer

    register("wrong", processor=Wrong)
    outcome = await (await open_chain(GIVEN, {"_op": "wrong"})).run(task())
    assert outcome.op == "wrong"
    assert f"on_batch returned {type(answer).__name__}, it must return a list" in outcome.error


async def test_the_marker_says_which_operation_runs(open_chain: Any, register: Any, task: Any) -> None:
    marker, seen = [0], []

    class Look(BatchProcessor):
        def on_batch(self, records: Records) -> Records:
            seen.append(marker[0])
            return records

    class LookFetcher(Fetcher):
        def fetch(self, request: Any) -> Records:
            seen.append(marker[0])
            return []

    register("look", processor=Look)
    register("look_first", fetcher=LookFetcher)
    chain = await open_chain({"_op": "look_first"}, {"_op": "look"}, {"_op": "look"}, marker=marker)
    await chain.run(task())
    assert seen == [1, 2, 3]
    assert marker == [0]


async def test_a_cancelled_task_stays_cancelled(open_chain: Any, register: Any, task: Any) -> None:
    begun = asyncio.Event()

    class Hang(BatchProcessor):
        async def on_batch(self, records: Records) -> Records:
            begun.set()
            await asyncio.Event().wait()
            return records

    register("hang", processor=Hang)
    marker = [0]
    chain = await open_chain(GIVEN, {"_op": "hang"}, marker=marker)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(chain.run(task()), name="run")
        await begun.wait()
        running.cancel()
    assert running.cancelled()
    assert marker == [0]


async def test_a_batch_with_metadata_reaches_authors_as_entities(
    open_chain: Any, register: Any, task: Any
) -> None:
    class Source:
        def metadata_at(self, place: int) -> dict[str, Any]:
            return {"place": place}

    class BatchFetcher(Fetcher):
        def fetch(self, request: Any) -> Records:
            return RecordBatch([{"n": n} for n in range(4)], Source())

    register("batches", fetcher=BatchFetcher)
    register("keep", processor=Keep)
    odd = {"_op": "filter", "field": "n", "regex": "[13]"}
    chain = await open_chain({"_op": "batches"}, odd, NOOP, {"_op": "keep"})
    await chain.run(task())
    (records,) = Keep.seen
    assert records == [{"n": 1}, {"n": 3}]
    assert [record.get_metadata("place") for record in records if isinstance(record, DataEntity)] == [1, 3]


async def test_totals_are_what_was_done_since_the_last_time(
    open_chain: Any, register: Any, task: Any
) -> None:
    register("failing", processor=failing(ValueError("x")))
    nothing = {"_op": "filter", "field": "n", "value": 9}
    chain = await open_chain(GIVEN, NOOP, nothing, {"_op": "failing"})
    assert chain.take_totals() == []
    await chain.run(task([{"n": 1}, {"n": 2}]))
    await chain.run(task([{"n": 1}]))
    totals = chain.take_totals()
    assert [(t.op, t.slices, t.records_in, t.records_out) for t in totals] == [
        (0, 2, 0, 3),
        (1, 2, 3, 3),
        (2, 2, 3, 0),
    ]
    assert chain.take_totals() == []


async def test_memory_is_measured_after_a_slice(open_chain: Any, task: Any) -> None:
    chain = await open_chain(GIVEN, NOOP)
    await chain.run(task())
    assert {total.memory_bytes > 1_000_000 for total in chain.take_totals()} == {True}


async def test_without_analytics_nothing_is_counted(open_chain: Any, task: Any) -> None:
    chain = await open_chain(GIVEN, NOOP, analytics=False)
    await chain.run(task([{}]))
    assert chain.take_totals() == []


class Life(BatchProcessor):
    """Writes down what happens to it."""

    log: ClassVar[list[str]] = []

    def initialize(self) -> None:
        self.log.append(f"initialize {self.op_config.name}")
        if self.op_config.name == "bad":
            message = "cannot start"
            raise ValueError(message)

    async def shutdown(self) -> None:
        self.log.append(f"shutdown {self.op_config.name}")
        if self.op_config.name == "ugly":
            message = "cannot end"
            raise ValueError(message)

    def on_batch(self, records: Records) -> Records:
        return records


@pytest.fixture
def life(register: Any) -> Callable[[str], dict[str, str]]:
    Life.log.clear()
    register("life", processor=Life)
    return lambda name: {"_op": "life", "name": name}


async def test_operations_are_initialized_and_shut_down_in_order(
    context: OperationContext, execution: Any, life: Any
) -> None:
    spec = execution({"_op": "data_generator"}, life("a"), life("b"))
    await (await Chain.open(spec, context=context)).close()
    assert Life.log == ["initialize a", "initialize b", "shutdown a", "shutdown b"]


async def test_a_failing_initialize_names_the_operation_and_shuts_the_others_down(
    context: OperationContext, execution: Any, life: Any
) -> None:
    spec = execution({"_op": "data_generator"}, life("a"), life("bad"), life("c"))
    with pytest.raises(ValueError, match="cannot start") as caught:
        await Chain.open(spec, context=context)
    assert caught.value.__notes__ == ["while operation life was initialized"]
    assert Life.log == ["initialize a", "initialize bad", "shutdown a"]


async def test_a_failing_shutdown_does_not_stop_the_others(
    context: OperationContext, execution: Any, life: Any
) -> None:
    chain = await Chain.open(execution({"_op": "data_generator"}, life("ugly"), life("b")), context=context)
    with pytest.raises(ShutdownError) as caught:
        await chain.close()
    assert [str(error) for error in caught.value.exceptions] == ["cannot end"]
    assert Life.log[-1] == "shutdown b"


async def test_operations_out_of_place_are_refused(context: OperationContext, execution: Any) -> None:
    for operations in ([NOOP, NOOP], [{"_op": "data_generator"}, {"_op": "data_generator"}]):
        with pytest.raises(InvalidError, match="is wanted there"):
            await Chain.open(execution(*operations), context=context)


async def test_an_operation_has_its_options_job_and_context(
    open_chain: Any, register: Any, task: Any
) -> None:
    found: list[Any] = []

    class Look(BatchProcessor):
        def on_batch(self, records: Records) -> Records:
            found.extend([self.op_config.depth, self.execution_config.name, self.context.worker_id])
            self.logger.debug("looked")
            return records

    register("look", processor=Look)
    chain = await open_chain(GIVEN, {"_op": "look", "depth": 3}, name="a job")
    assert (await chain.run(task())).kind is ResultKind.COMPLETED
    assert found == [3, "a job", 1]


class Collector(BatchProcessor):
    """Says whether the garbage collector is on while it runs."""

    seen: ClassVar[list[bool]] = []
    makes_cycles = False

    def on_batch(self, records: Records) -> Records:
        self.seen.append(gc.isenabled())
        if {"bad": True} in records:
            message = "bad record"
            raise ValueError(message)
        return records


async def test_the_collector_rests_when_no_operation_makes_cycles(
    context: OperationContext, execution: Any, register: Any, task: Any
) -> None:
    class Own(BatchProcessor):
        def on_batch(self, records: Records) -> Records:
            return records

    Collector.seen.clear()
    register("collector", processor=Collector)
    register("own", processor=Own)
    reader = {"_op": "data_generator"}
    quiet = await Chain.open(execution(reader, {"_op": "collector"}), context=context)
    own = await Chain.open(execution(reader, {"_op": "collector"}, {"_op": "own"}), context=context)
    for chain in (quiet, own):
        outcome = await chain.run(task({"start": 0, "count": 1}))
        assert outcome.kind is ResultKind.COMPLETED
        assert gc.isenabled()
        await chain.close()
    assert Collector.seen == [False, True]


async def test_the_collector_is_on_again_after_an_error(
    context: OperationContext, execution: Any, register: Any, task: Any
) -> None:
    class Quiet(Collector):
        def on_batch(self, records: Records) -> Records:
            return super().on_batch([{"bad": True}])

    register("quiet", processor=Quiet)
    chain = await Chain.open(execution({"_op": "data_generator"}, {"_op": "quiet"}), context=context)
    assert (await chain.run(task({"start": 0, "count": 1}))).kind is ResultKind.ERROR
    assert gc.isenabled()
    await chain.close()
