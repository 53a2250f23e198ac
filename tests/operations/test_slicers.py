"""Slicers as the slicer child sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sliceworks.operations import ParallelSlicer, Recovery, Slicer
from sliceworks.operations.errors import SlicerError
from sliceworks.operations.slicers import NOTHING_NOW, SlicerSet
from sliceworks.protocol.errors import InvalidError
from sliceworks.protocol.messages import MAX_REQUEST_BYTES


def saying(*answers: Any) -> type[Slicer]:
    """A slicer that answers these, one after the other."""

    class Saying(Slicer):
        def initialize(self, recovery: Recovery) -> None:
            self.answers = iter(answers)

        def slice(self) -> Any:
            return next(self.answers)

    return Saying


@pytest.fixture
def open_set(execution: Any, register: Any) -> Any:
    async def open_one(
        slicer: type[Slicer | ParallelSlicer], *, recovery: Recovery | None = None, **fields: Any
    ) -> SlicerSet:
        register("tested", slicer=slicer)
        spec = execution({"_op": "tested"}, {"_op": "noop"}, **fields)
        return await SlicerSet.open(spec, recovery=recovery or [])

    return open_one


async def test_one_call_one_list_of_requests(open_set: Any) -> None:
    slicers = await open_set(saying({"a": 1}, [1, "two", [3]], None))
    assert slicers.slicers == 1
    assert await slicers.next(0) == [b'{"a":1}']
    assert await slicers.next(0) == [b"1", b'"two"', b"[3]"]
    assert await slicers.next(0) is None
    assert await slicers.next(0) is None  # and is not asked again


async def test_an_empty_list_means_nothing_now(open_set: Any) -> None:
    slicers = await open_set(saying([], 1, None))
    assert [await slicers.next(0) for _ in range(3)] == [NOTHING_NOW, [b"1"], None]


async def test_a_persistent_slicer_never_ends(open_set: Any) -> None:
    slicers = await open_set(saying(None, 1, None), lifecycle="persistent")
    assert [await slicers.next(0) for _ in range(3)] == [NOTHING_NOW, [b"1"], NOTHING_NOW]


async def test_defaults_and_overrides_of_what_a_slicer_says_of_itself(open_set: Any) -> None:
    class Able(Slicer):
        async def is_recoverable(self) -> bool:
            return True

        def is_relocatable(self) -> bool:
            return True

        def max_queue_length(self) -> int:
            return 5

    plain, able = await open_set(saying()), await open_set(Able)
    assert (plain.recoverable, plain.relocatable, plain.max_queue_length) == (False, False, 10_000)
    assert (able.recoverable, able.relocatable, able.max_queue_length) == (True, True, 5)


async def test_a_recovery_reaches_the_slicer(open_set: Any) -> None:
    given = []

    class Recoverable(Slicer):
        async def initialize(self, recovery: Recovery) -> None:
            given.append(recovery)

        def is_recoverable(self) -> bool:
            return True

    await open_set(Recoverable)
    entries = [
        {"slicer_id": 0, "last_slice": {"n": 1}, "checkpoint": None},
        {"slicer_id": 1, "last_slice": 0, "checkpoint": b"x"},
        {"slicer_id": 2, "last_slice": None, "checkpoint": None},
    ]
    await open_set(Recoverable, recovery=entries)
    assert given == [
        [],
        [{"slicer_id": 0, "last_slice": {"n": 1}}, {"slicer_id": 1, "last_slice": 0, "checkpoint": b"x"}],
    ]


async def test_what_cannot_recover_is_refused_but_may_begin_again(open_set: Any) -> None:
    with pytest.raises(SlicerError, match="the slicer of tested is not recoverable"):
        await open_set(saying(), recovery=[{"slicer_id": 0, "last_slice": 1, "checkpoint": None}])
    await open_set(saying(), recovery=[{"slicer_id": 0, "last_slice": None, "checkpoint": None}])


async def test_checkpoints_belong_to_whole_calls(open_set: Any) -> None:
    class Counting(Slicer):
        count = 0

        def slice(self) -> int:
            self.count += 1
            return self.count

        def checkpoint(self) -> bytes:
            return str(self.count).encode()

    slicers = await open_set(Counting)
    assert slicers.checkpoint(0) is None
    await slicers.next(0)
    slicers._slicer.count = 99  # what a call that is not over may have done
    assert slicers.checkpoint(0) == b"1"
    assert (await open_set(saying(1))).checkpoint(0) is None


async def test_a_checkpoint_must_be_bytes(open_set: Any) -> None:
    class Wrong(Slicer):
        def slice(self) -> int:
            return 1

        def checkpoint(self) -> Any:
            return "text"

    with pytest.raises(SlicerError, match=r"slicer 0 of tested: checkpoint\(\) returned str, not bytes"):
        await (await open_set(Wrong)).next(0)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (object(), "no JSON value"),
        ({1: 2}, "no JSON value"),
        ("\ud800", "no JSON value"),
        ("x" * MAX_REQUEST_BYTES, f"{MAX_REQUEST_BYTES + 2} bytes, {MAX_REQUEST_BYTES} is the limit"),
        ([1, None], "null in a list"),
    ],
)
async def test_what_is_no_request_names_the_slicer(open_set: Any, answer: Any, said: str) -> None:
    slicers = await open_set(saying(answer))
    with pytest.raises(SlicerError, match="slicer 0 of tested made a request that") as caught:
        await slicers.next(0)
    assert said in str(caught.value)


async def test_an_error_of_the_author_names_the_slicer(open_set: Any) -> None:
    class Failing(Slicer):
        async def slice(self) -> Any:
            message = "no more disk"
            raise OSError(message)

    slicers = await open_set(Failing)
    with pytest.raises(OSError, match="no more disk") as caught:
        await slicers.next(0)
    assert caught.value.__notes__ == ["in slicer 0 of tested"]


async def test_an_error_at_the_start_names_the_operation(open_set: Any) -> None:
    class Failing(Slicer):
        def initialize(self, recovery: Recovery) -> None:
            message = "no key"
            raise ValueError(message)

    with pytest.raises(ValueError, match="no key") as caught:
        await open_set(Failing)
    assert caught.value.__notes__ == ["while the slicer of tested was initialized"]


class Countdown:
    """A slicer as an object."""

    def __init__(self, start: int) -> None:
        self.left = start

    async def slice(self) -> int | None:
        self.left -= 1
        return self.left if self.left >= 0 else None

    def checkpoint(self) -> bytes:
        return bytes([max(self.left, 0)])


class WithId(ParallelSlicer):
    async def new_slicer(self, slicer_id: int) -> Any:
        return Countdown(slicer_id + 1)


class WithoutId(ParallelSlicer):
    made = 0

    async def new_slicer(self) -> Callable[[], int | None] | None:
        self.made += 1
        answers = iter([self.made, None])
        return (lambda: next(answers)) if self.made < 3 else None


async def test_parallel_slicers_as_objects(open_set: Any) -> None:
    slicers = await open_set(WithId, slicers=2)
    assert slicers.slicers == 2
    assert [await slicers.next(0) for _ in range(2)] == [[b"0"], None]
    assert [await slicers.next(1) for _ in range(3)] == [[b"1"], [b"0"], None]
    assert slicers.checkpoint(1) == b"\0"


async def test_parallel_slicers_as_functions_or_none(open_set: Any) -> None:
    slicers = await open_set(WithoutId, slicers=3)
    assert [await slicers.next(n) for n in range(3)] == [[b"1"], [b"2"], None]
    assert [await slicers.next(n) for n in range(3)] == [None, None, None]


async def test_a_new_slicer_that_is_none_is_told(open_set: Any) -> None:
    class Wrong(ParallelSlicer):
        def new_slicer(self) -> Any:
            return 5

    with pytest.raises(SlicerError, match="new_slicer returned int"):
        await open_set(Wrong)


async def test_close_shuts_the_slicer_down(open_set: Any) -> None:
    ended = []

    class Ending(Slicer):
        async def shutdown(self) -> None:
            ended.append(True)

    await (await open_set(Ending)).close()
    assert ended == [True]


async def test_a_processor_makes_no_slices(execution: Any) -> None:
    with pytest.raises(InvalidError, match="operation noop cannot be in place 0 of a job: a reader"):
        await SlicerSet.open(execution({"_op": "noop"}, {"_op": "noop"}), recovery=[])
