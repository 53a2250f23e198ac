"""The slicer child, run in this process over a real pipe."""

from __future__ import annotations

import asyncio
import importlib
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from sliceworks.master.execution.slicing import Slicing
from sliceworks.operations import isolation
from sliceworks.operations.builtin.data_generator import DataGeneratorSlicer
from sliceworks.operations.bundle import AssetPlace
from sliceworks.operations.validation import validate_job
from sliceworks.protocol.codec import Decoder
from sliceworks.protocol.documents import ExecutionSpec, OperationSpec
from sliceworks.protocol.messages import (
    SliceNews,
    SlicerFailed,
    SlicerReady,
    SlicerToController,
    SlicesMade,
    SlicingFinished,
    Statistics,
    StatisticsNews,
    StopSlicing,
    WantSlices,
)
from sliceworks.protocol.pipe import AsyncPipe
from sliceworks.protocol.states import SliceState

Inbox = asyncio.Queue[SlicerToController]


def execution(**reader: Any) -> ExecutionSpec:
    job = {
        "lifecycle": reader.pop("lifecycle", "once"),
        "slicers": reader.pop("slicers", 1),
        "operations": [{"_op": "data_generator", **reader}, {"_op": "noop"}],
    }
    return ExecutionSpec.model_validate({**validate_job(job), "ex_id": "e", "job_id": "j"})


@asynccontextmanager
async def slicing(
    spec: ExecutionSpec,
    recovery: list[dict[str, Any]] | None = None,
    *,
    assets: Sequence[AssetPlace] = (),
) -> AsyncIterator[tuple[AsyncPipe[SlicerToController], Inbox]]:
    ours, theirs = socket.socketpair()
    inbox = Inbox()
    closed = asyncio.Event()
    pipe = await AsyncPipe.open(
        ours,
        Decoder[SlicerToController](SlicerToController),
        on_message=inbox.put_nowait,
        on_closed=lambda _reason: closed.set(),
    )
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        group.create_task(Slicing(spec, recovery or [], assets).run(theirs), name="child")
        yield pipe, inbox
        pipe.send(StopSlicing())
        await closed.wait()


async def requests_until(inbox: Inbox, done: Callable[[list[Any]], bool]) -> list[Any]:
    made: list[Any] = []
    while not done(made):
        match await inbox.get():
            case SlicesMade(_, requests):
                made += [orjson.loads(request) for request in requests]
            case SlicingFinished():
                return made
            case SlicerFailed(error):
                pytest.fail(error)
            case SlicerReady():
                pass
    return made


async def test_it_makes_only_what_it_has_credit_for() -> None:
    async with slicing(execution(size=100, slice_size=1)) as (pipe, inbox):
        assert isinstance(await inbox.get(), SlicerReady)
        pipe.send(WantSlices(0, 7))
        assert len(await requests_until(inbox, lambda made: len(made) >= 7)) == 7
        await asyncio.sleep(0)
        assert inbox.empty()
        pipe.send(WantSlices(0, 200))
        assert len(await requests_until(inbox, lambda _: False)) == 93


async def test_it_goes_on_after_the_last_request() -> None:
    async with slicing(execution(size=10, slice_size=1)) as (pipe, inbox):
        await inbox.get()
        pipe.send(WantSlices(0, 100))
        everything = await requests_until(inbox, lambda _: False)
    recovery = [
        {"slicer_id": 0, "last_slice": orjson.dumps(everything[3]), "checkpoint": None, "finished": False}
    ]
    async with slicing(execution(size=10, slice_size=1), recovery) as (pipe, inbox):
        await inbox.get()
        pipe.send(WantSlices(0, 100))
        assert await requests_until(inbox, lambda _: False) == everything[4:]


async def test_a_reader_that_cannot_go_on_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DataGeneratorSlicer, "is_recoverable", lambda _: False)
    last = {"slicer_id": 0, "last_slice": b'{"start":0,"count":1}', "checkpoint": None, "finished": False}
    async with slicing(execution(size=10, slice_size=1), [last]) as (_, inbox):
        ready = await inbox.get()
        assert isinstance(ready, SlicerReady)
        assert not ready.recoverable


async def test_a_finished_slicer_is_not_started_again() -> None:
    spec = execution(slicers=2, size=10, slice_size=1)
    async with slicing(spec) as (pipe, inbox):
        await inbox.get()
        pipe.send(WantSlices(0, 100))
        made = await inbox.get()
        assert isinstance(made, SlicesMade)
    entry = {"slicer_id": 0, "last_slice": made.requests[-1], "checkpoint": None, "finished": True}
    async with slicing(spec, [entry]) as (pipe, inbox):
        assert isinstance(await inbox.get(), SlicerReady)
        pipe.send(WantSlices(0, 100))
        pipe.send(WantSlices(1, 100))
        message = await inbox.get()
        assert isinstance(message, SlicesMade)
        assert message.slicer_id == 1


async def test_a_reader_that_cannot_start_says_why() -> None:
    spec = execution(size=10)
    broken = spec.model_copy(update={"operations": (spec.operations[1], spec.operations[1])})
    async with slicing(broken) as (_, inbox):
        message = await inbox.get()
        assert isinstance(message, SlicerFailed)
        assert "noop" in message.error


HOOKED = """
import asyncio
from sliceworks.operations import Fetcher, Slicer
heard = []
class Counting(Slicer):
    def initialize(self, recovery):
        self.left = 3
    def slice(self):
        self.left -= 1
        return {"n": self.left} if self.left >= 0 else None
    def on_slice_enqueued(self, sliced):
        heard.append(("enqueued", sliced.slice_id, sliced.slicer_id, sliced.slicer_order, sliced.request))
    async def on_slice_complete(self, result):
        await asyncio.sleep(0)
        heard.append((result.state, result.slice.slice_id))
        raise ValueError("only logged")
    def on_execution_stats(self, statistics):
        heard.append(statistics["processed"])
    def shutdown(self):
        heard.append("shut down")
class Nothing(Fetcher):
    def fetch(self, request):
        return []
"""


@pytest.fixture
def hooked(tmp_path: Path) -> Iterator[AssetPlace]:
    """An asset whose slicer has hooks."""
    (tmp_path / "hooked.py").write_text(HOOKED)
    finders, import_module = list(sys.meta_path), importlib.import_module
    with pytest.MonkeyPatch.context() as monkey:
        monkey.setenv(isolation.ENVIRONMENT, "")
        yield AssetPlace("e" * 40, "hooked", "1.0.0", tmp_path)
    sys.meta_path[:] = finders
    importlib.import_module = import_module
    isolation._bundles.clear()
    isolation._own_names.clear()


async def test_a_slicer_hears_of_its_slices_until_all_is_told(hooked: AssetPlace) -> None:
    job = {"operations": [{"_op": "hooked"}, {"_op": "noop"}], "assets": ["hooked"]}
    document = validate_job(job, assets=[("hooked", hooked)])
    spec = ExecutionSpec.model_validate({**document, "ex_id": "e", "job_id": "j"})
    async with slicing(spec, assets=[hooked]) as (pipe, inbox):
        ready = await inbox.get()
        assert isinstance(ready, SlicerReady)
        assert ready.hooks == ["enqueued", "complete", "statistics"]
        pipe.send(WantSlices(0, 10))
        assert await requests_until(inbox, lambda _: False) == [{"n": 2}, {"n": 1}, {"n": 0}]
        pipe.send(SliceNews("enqueued", 0, ["a", "b"], [0, 0], [1, 2], [b"7", b"8"]))
        pipe.send(StatisticsNews(Statistics(processed=5)))
        pipe.send(SliceNews("complete", SliceState.COMPLETED, ["a", "b"], [0, 0], [1, 2], [b"7", b"8"]))
        pipe.send(SliceNews("complete", SliceState.ERROR, ["c"], [0], [3], [b"9"]))
    heard = isolation.bundle_code("a" + "e" * 40, hooked.directory).load("hooked").heard
    assert heard == [
        ("enqueued", "a", 0, 1, 7),
        ("enqueued", "b", 0, 2, 8),
        5,
        ("completed", "a"),
        ("completed", "b"),
        ("error", "c"),
        "shut down",
    ]


async def test_a_bundle_that_cannot_be_loaded_is_said_without_our_traceback(hooked: AssetPlace) -> None:
    (hooked.directory / "hooked.py").write_text("import nowhere\nclass Read(nowhere.Slicer): pass")
    async with slicing(execution(size=1), assets=[hooked]) as (_, inbox):
        assert isinstance(await inbox.get(), SlicerReady)  # what is not used is not imported
    spec = execution(size=1).model_copy(update={"operations": (OperationSpec(op="hooked"),) * 2})
    async with slicing(spec, assets=[hooked]) as (_, inbox):
        failed = await inbox.get()
    assert isinstance(failed, SlicerFailed)
    assert failed.error.startswith("asset hooked:1.0.0: hooked.py: cannot be imported:")
    assert failed.error.endswith("ModuleNotFoundError: No module named 'nowhere'")


async def test_a_failure_with_half_characters_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        message = "no file \udcff"
        raise ValueError(message)

    monkeypatch.setattr(DataGeneratorSlicer, "new_slicer", fail)
    async with slicing(execution(size=10)) as (_, inbox):
        failed = await inbox.get()
    assert isinstance(failed, SlicerFailed)
    assert "no file \\udcff" in failed.error
