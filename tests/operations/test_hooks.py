"""Lifecycle hooks: which are called, when, and what their errors mean."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from sliceworks.operations import BatchProcessor, Fetcher, Records
from sliceworks.operations.chain import Chain, OperationContext
from sliceworks.operations.errors import ShutdownError
from sliceworks.protocol.ids import SliceId
from sliceworks.protocol.states import ResultKind

GIVEN = {"_op": "given"}


class Told(BatchProcessor):
    """Overrides every hook, half of them as coroutines."""

    log: ClassVar[list[Any]] = []

    def on_slice_initialized(self, slice_id: SliceId) -> None:
        self.log.append(("initialized", slice_id))

    async def on_slice_retry(self, slice_id: SliceId) -> None:
        self.log.append(("retry", slice_id))

    async def on_slice_started(self, slice_id: SliceId) -> None:
        self.log.append(("started", slice_id))

    def on_slice_finalizing(self, slice_id: SliceId) -> None:
        self.log.append(("finalizing", slice_id))

    async def on_slice_finished(self, slice_id: SliceId) -> None:
        self.log.append(("finished", slice_id))

    def on_slice_failed(self, slice_id: SliceId) -> None:
        self.log.append(("failed", slice_id))

    async def on_operation_start(self, slice_id: SliceId, index: int) -> None:
        self.log.append(("operation", index))

    def on_operation_complete(self, slice_id: SliceId, index: int, processed: int) -> None:
        self.log.append(("complete", index, processed))

    def on_flush_start(self) -> None:
        self.log.append("flush")

    async def on_flush_end(self) -> None:
        self.log.append("flushed")

    def on_batch(self, records: Records) -> Records:
        self.log.append(("batch", len(records)))
        if {"bad": True} in records:
            message = "bad record"
            raise ValueError(message)
        return records


@pytest.fixture
def told(register: Any) -> dict[str, str]:
    Told.log.clear()
    register("told", processor=Told)
    return {"_op": "told"}


async def test_the_order_of_a_slice_that_succeeds(open_chain: Any, told: Any, task: Any) -> None:
    await (await open_chain(GIVEN, told)).run(task([{}, {}]))
    assert Told.log == [
        ("initialized", "slice-1"),
        ("started", "slice-1"),
        ("operation", 0),
        ("complete", 0, 2),
        ("operation", 1),
        ("batch", 2),
        ("complete", 1, 2),
        ("finalizing", "slice-1"),
        ("finished", "slice-1"),
    ]


async def test_the_order_of_a_second_try_that_fails(open_chain: Any, told: Any, task: Any) -> None:
    await (await open_chain(GIVEN, told)).run(task([{"bad": True}], retries=1))
    names = [entry[0] for entry in Told.log]
    assert names[:3] == ["initialized", "retry", "started"]
    assert names[-2:] == ["batch", "failed"]


async def test_the_end_flushes_the_processors(
    context: OperationContext, execution: Any, register: Any, told: Any
) -> None:
    class Hoard(BatchProcessor):
        def on_flush_start(self) -> None:
            self.is_ending = True

        def on_batch(self, records: Records) -> Records:
            return [{"kept": 1}] if self.is_ending else []

    register("hoard", processor=Hoard)
    register("given")
    chain = await Chain.open(execution(GIVEN, {"_op": "hoard"}, told), context=context)
    await chain.close()
    assert Told.log == ["flush", ("batch", 1), "flushed"]


async def test_without_flush_hooks_nothing_runs_at_the_end(
    context: OperationContext, execution: Any, register: Any
) -> None:
    class Never(BatchProcessor):
        def on_batch(self, records: Records) -> Records:
            raise AssertionError

    register("never", processor=Never)
    register("given")
    await (await Chain.open(execution(GIVEN, {"_op": "never"}), context=context)).close()


async def test_a_failing_flush_is_told_after_the_shutdown(
    context: OperationContext, execution: Any, register: Any
) -> None:
    ended = []

    class Bad(BatchProcessor):
        def on_flush_start(self) -> None:
            message = "cannot flush"
            raise ValueError(message)

        def shutdown(self) -> None:
            ended.append(True)

        def on_batch(self, records: Records) -> Records:
            return records

    register("bad", processor=Bad)
    register("given")
    chain = await Chain.open(execution(GIVEN, {"_op": "bad"}), context=context)
    with pytest.raises(ShutdownError) as caught:
        await chain.close()
    assert [str(error) for error in caught.value.exceptions] == ["cannot flush"]
    assert ended == [True]


@pytest.mark.parametrize(
    "hook",
    [
        "on_slice_initialized",
        "on_slice_started",
        "on_slice_finalizing",
        "on_operation_start",
        "on_operation_complete",
    ],
)
async def test_an_error_before_the_end_fails_the_slice(
    open_chain: Any, register: Any, task: Any, hook: str
) -> None:
    register("hooked", processor=hooked(hook))
    marker = [0]
    outcome = await (await open_chain(GIVEN, {"_op": "noop"}, {"_op": "hooked"}, marker=marker)).run(task())
    assert (outcome.kind, outcome.op) == (ResultKind.ERROR, "hooked")
    assert "hook failed" in outcome.error
    assert marker == [0]


async def test_an_error_after_the_end_changes_nothing(open_chain: Any, register: Any, task: Any) -> None:
    register("hooked", processor=hooked("on_slice_finished"))
    outcome = await (await open_chain(GIVEN, {"_op": "hooked"})).run(task())
    assert outcome.kind is ResultKind.COMPLETED


async def test_an_error_while_failing_does_not_hide_the_first(
    open_chain: Any, register: Any, task: Any
) -> None:
    class Bad(Fetcher):
        def fetch(self, request: Any) -> Records:
            message = "the first"
            raise ValueError(message)

    register("bad", fetcher=Bad)
    register("hooked", processor=hooked("on_slice_failed"))
    outcome = await (await open_chain({"_op": "bad"}, {"_op": "hooked"})).run(task())
    assert (outcome.kind, outcome.op) == (ResultKind.ERROR, "bad")
    assert "the first" in outcome.error


def hooked(name: str) -> type[BatchProcessor]:
    """A processor whose one hook fails."""

    def fail(*_: Any) -> None:
        message = "hook failed"
        raise ValueError(message)

    def on_batch(_: Any, records: Records) -> Records:
        return records

    return type("Hooked", (BatchProcessor,), {name: fail, "on_batch": on_batch})
