"""APIs and observers: how operations get at them, when their hooks run, and dead letters."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from sliceworks.operations import (
    BatchProcessor,
    FatalSliceError,
    MapProcessor,
    Observer,
    OperationAPI,
    OperationOptions,
    Record,
    Records,
    StrictOptions,
)
from sliceworks.operations.apis import Apis
from sliceworks.operations.chain import Chain
from sliceworks.operations.errors import ShutdownError
from sliceworks.protocol.ids import SliceId
from sliceworks.protocol.states import ResultKind

GIVEN = {"_op": "given"}


class Counter(OperationAPI):
    """Counts what it is told to; hands out itself."""

    class Options(StrictOptions):
        start: int = 0

    op_config: Options
    log: ClassVar[list[Any]] = []

    def initialize(self) -> None:
        self.count = self.op_config.start
        self.log.append(f"{self.api_name} initialized")

    def add(self, number: int) -> None:
        self.count += number

    def shutdown(self) -> None:
        self.log.append(f"{self.api_name} shut down at {self.count}")

    def on_slice_initialized(self, slice_id: SliceId) -> None:
        self.log.append(f"{self.api_name} begins")

    async def on_slice_finished(self, slice_id: SliceId) -> None:
        self.log.append(f"{self.api_name} ends")


class Letters(OperationAPI):
    """Hands out a function that takes dead letters."""

    taken: ClassVar[list[tuple[Record, str]]] = []

    async def create_api(self) -> Any:
        def take(record: Record, error: Exception) -> None:
            if "unbearable" in record:
                message = "not even here"
                raise RuntimeError(message)
            self.taken.append((record, str(error)))

        return take


class Counting(BatchProcessor):
    """Tells an API how many records there are."""

    def initialize(self) -> None:
        self.api = self.get_api()

    def on_batch(self, records: Records) -> Records:
        self.api.add(len(records))
        return records

    def on_slice_initialized(self, slice_id: SliceId) -> None:
        Counter.log.append("operation begins")

    def on_slice_finished(self, slice_id: SliceId) -> None:
        Counter.log.append("operation ends")


class Picky(MapProcessor):
    def map(self, record: Record) -> Record:
        if "fatal" in record:
            message = "the end"
            raise FatalSliceError(message)
        if "bad" in record:
            message = "a bad one"
            raise ValueError(message)
        return record


@pytest.fixture(autouse=True)
def classes(register: Any) -> None:
    Counter.log.clear()
    Letters.taken.clear()
    register("given")
    register("counter", api=Counter)
    register("letters", api=Letters)
    register("counting", processor=Counting)
    register("picky", processor=Picky)


async def open_one(execution: Any, context: Any, *entries: Any, marker: Any = None, apis: Any) -> Chain:
    """A chain that the test closes."""
    return await Chain.open(execution(*entries, apis=apis), context=context, marker=marker)


async def test_operations_share_an_api(open_chain: Any, task: Any) -> None:
    chain: Chain = await open_chain(
        GIVEN,
        {"_op": "counting", "_api_name": "counter:a"},
        {"_op": "counting", "_api_name": "counter:b"},
        {"_op": "counting", "_api_name": "counter:a"},
        apis=[{"_name": "counter:a", "start": 10}, {"_name": "counter:b"}],
    )
    assert (await chain.run(task([{}, {}]))).kind is ResultKind.COMPLETED
    assert chain.parts.access.get("counter:a").count == 14
    assert chain.parts.access.get("counter:b").count == 2


async def test_apis_live_around_the_operations(execution: Any, context: Any, task: Any) -> None:
    chain = await open_one(
        execution,
        context,
        GIVEN,
        {"_op": "counting", "_api_name": "counter:b"},
        apis=[{"_name": "counter:a"}, {"_name": "counter:b"}],
    )
    await chain.run(task([{}]))
    await chain.close()
    assert Counter.log == [
        "counter:a initialized",
        "counter:b initialized",
        "counter:a begins",
        "counter:b begins",
        "operation begins",
        "operation ends",
        "counter:b ends",
        "counter:a ends",
        "counter:b shut down at 1",
        "counter:a shut down at 0",
    ]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"_op": "counting"}, "counting asks for its API, but the job gives it no _api_name"),
        ({"_op": "counting", "_api_name": "counter:z"}, r"there is no API counter:z \(ready are: counter\)"),
    ],
)
async def test_an_api_that_is_not_there(open_chain: Any, entry: dict[str, Any], message: str) -> None:
    with pytest.raises(LookupError, match=message) as caught:
        await open_chain(GIVEN, entry, apis=[{"_name": "counter"}])
    assert "while operation counting was initialized" in caught.value.__notes__
    assert Counter.log[-1] == "counter shut down at 0"


async def test_a_failing_api_ends_the_start(open_chain: Any, register: Any) -> None:
    class Failing(OperationAPI):
        def initialize(self) -> None:
            message = "no connection"
            raise OSError(message)

    register("failing", api=Failing)
    with pytest.raises(OSError, match="no connection") as caught:
        await open_chain(GIVEN, {"_op": "noop"}, apis=[{"_name": "counter"}, {"_name": "failing:x"}])
    assert caught.value.__notes__ == ["while API failing:x was initialized"]
    assert Counter.log == ["counter initialized", "counter shut down at 0"]


async def test_the_error_of_an_apis_hook_names_it(
    execution: Any, context: Any, task: Any, register: Any
) -> None:
    class Refusing(Observer):
        def on_slice_started(self, slice_id: SliceId) -> None:
            message = "not today"
            raise ValueError(message)

        def shutdown(self) -> None:
            message = "stuck"
            raise OSError(message)

    register("refusing", api=Refusing)
    marker = [0]
    chain = await open_one(
        execution, context, GIVEN, {"_op": "noop"}, apis=[{"_name": "refusing:a"}], marker=marker
    )
    outcome = await chain.run(task([{}]))
    assert (outcome.kind, outcome.op) == (ResultKind.ERROR, "refusing:a")
    assert outcome.error.startswith("refusing:a: ValueError: not today")
    assert marker == [0]
    with pytest.raises(ShutdownError):
        await chain.close()


async def test_an_observer_watches_only(execution: Any, context: Any, task: Any, register: Any) -> None:
    class Watch(Observer):
        seen: ClassVar[list[Any]] = []

        def on_operation_complete(self, slice_id: SliceId, index: int, processed: int) -> None:
            self.seen.append((slice_id, index, processed))

        def on_flush_start(self) -> None:
            self.seen.append("flush")

    class Asking(BatchProcessor):
        def initialize(self) -> None:
            self.get_api("watch")

    register("watch", api=Watch)
    register("asking", processor=Asking)
    chain = await open_one(
        execution,
        context,
        GIVEN,
        {"_op": "filter", "field": "a", "value": 1},
        apis=[{"_name": "watch"}],
    )
    await chain.run(task([{"a": 1}, {"a": 2}]))
    await chain.close()
    assert Watch.seen == [("slice-1", 0, 2), ("slice-1", 1, 1), "flush"]
    with pytest.raises(LookupError, match="there is no API watch"):
        await open_one(execution, context, GIVEN, {"_op": "asking"}, apis=[{"_name": "watch"}])


async def test_dead_letters_go_to_an_api(open_chain: Any, task: Any) -> None:
    chain: Chain = await open_chain(
        GIVEN, {"_op": "picky", "_dead_letter_action": "letters"}, apis=[{"_name": "letters"}]
    )
    outcome = await chain.run(task([{"a": 1}, {"bad": 1}, {"a": 2}]))
    assert outcome.kind is ResultKind.COMPLETED
    assert Letters.taken == [({"bad": 1}, "a bad one")]
    failed = await chain.run(task([{"bad": 1, "unbearable": 1}]))
    assert (failed.kind, failed.op) == (ResultKind.ERROR, "picky")
    assert "not even here" in failed.error
    fatal = await chain.run(task([{"fatal": 1}]))
    assert fatal.kind is ResultKind.FATAL
    assert len(Letters.taken) == 1


async def test_dead_letters_need_a_callable(open_chain: Any, register: Any) -> None:
    class Slow(OperationAPI):
        async def __call__(self, record: Record, error: Exception) -> None: ...

    register("slow", api=Slow)
    for name in ("counter", "slow"):
        with pytest.raises(TypeError, match=f"API {name} cannot take dead letters"):
            await open_chain(GIVEN, {"_op": "picky", "_dead_letter_action": name}, apis=[{"_name": name}])


async def test_an_api_may_use_those_before_it(open_chain: Any, register: Any) -> None:
    class Leaning(OperationAPI):
        class Options(OperationOptions):
            on: str

        op_config: Options

        def create_api(self) -> Any:
            return self.get_api(self.op_config.on)

    register("leaning", api=Leaning)
    leaning = {"_name": "leaning", "on": "counter"}
    chain: Chain = await open_chain(GIVEN, {"_op": "noop"}, apis=[{"_name": "counter"}, leaning])
    assert chain.parts.access.get("leaning") is chain.parts.access.get("counter")
    with pytest.raises(LookupError, match=r"there is no API counter \(ready are: none\)"):
        await open_chain(GIVEN, {"_op": "noop"}, apis=[leaning, {"_name": "counter"}])


def test_a_pinned_api_is_found_by_the_name_that_its_author_knows() -> None:
    apis = Apis()
    first, second = f"rates@{'a' * 40}", f"rates@{'b' * 40}"
    apis.add(f"{first}:today", 1)
    assert (apis.get("rates:today"), apis.get(f"{first}:today")) == (1, 1)
    apis.add(f"{second}:today", 2)
    assert apis.get(f"{second}:today") == 2
    with pytest.raises(LookupError, match="there is no API rates:today"):
        apis.get("rates:today")  # it could be either
    apis.add("rates:today", 3)
    assert apis.get("rates:today") == 3
