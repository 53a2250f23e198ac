"""What the tests of operations share: executions, chains, and operations of their own for a while."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import orjson
import pytest

from sliceworks.operations import isolation
from sliceworks.operations.base import WorkerOperation
from sliceworks.operations.bundle import AssetPlace
from sliceworks.operations.chain import Chain, OperationContext, SliceTask
from sliceworks.operations.making import make_parts
from sliceworks.operations.processors import Processor
from sliceworks.operations.reader import Fetcher, ParallelSlicer, Slicer
from sliceworks.operations.registry import APIS, OPERATIONS, ApiKind, ProcessorKind, ReaderKind
from sliceworks.protocol.documents import ExecutionSpec
from sliceworks.protocol.ids import Epoch, Seq, SliceId

OpenChain = Callable[..., Awaitable[Chain]]
Execution = Callable[..., ExecutionSpec]


class ListSlicer(Slicer):
    """Makes no slices."""

    def slice(self) -> None:
        return None


class GivenFetcher(Fetcher):
    """A request holds the records themselves."""

    def fetch(self, request: Any) -> Any:
        return request


@pytest.fixture
def context(tmp_path: Path) -> OperationContext:
    return OperationContext(worker_id=1, node_id="node-1", hostname="host", durable=True, scratch=tmp_path)


@pytest.fixture
def execution() -> Execution:
    def make(*operations: dict[str, Any], **fields: Any) -> ExecutionSpec:
        document = {"ex_id": "ex-1", "job_id": "job-1", "operations": list(operations), **fields}
        return ExecutionSpec.model_validate(document)

    return make


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes an operation, or API, of these classes known for one test."""

    def add(name: str, *, processor: type[Processor] | None = None, **reader: Any) -> None:
        if "api" in reader:
            monkeypatch.setitem(APIS, name, ApiKind(name, reader["api"]))
            return
        if processor:
            monkeypatch.setitem(OPERATIONS, name, ProcessorKind(name, processor))
            return
        slicer: type[Slicer | ParallelSlicer] = reader.get("slicer", ListSlicer)
        fetcher: type[Fetcher] = reader.get("fetcher", GivenFetcher)
        monkeypatch.setitem(OPERATIONS, name, ReaderKind(name, slicer, fetcher))

    return add


@pytest.fixture
async def open_chain(
    context: OperationContext, execution: Execution, register: Callable[..., None]
) -> AsyncIterator[OpenChain]:
    """Opens chains that begin with `given`, whose request is its records; they are closed at the end."""
    register("given")
    async with AsyncExitStack() as stack:

        async def open_one(
            *operations: dict[str, Any], marker: list[int] | None = None, **fields: Any
        ) -> Chain:
            spec = execution(*operations, **fields)
            chain = await Chain.open(spec, context=context, marker=marker)
            stack.push_async_callback(chain.close)
            return chain

        yield open_one


@pytest.fixture
def task() -> Callable[..., SliceTask]:
    def make(request: Any = None, *, slice_id: str = "slice-1", retries: int = 0) -> SliceTask:
        text = orjson.dumps([] if request is None else request)
        return SliceTask(SliceId(slice_id), Seq(1), Epoch(1 + retries), text, retries)

    return make


@pytest.fixture
def operation(context: OperationContext, execution: Execution) -> Callable[..., Any]:
    """One operation, made as a worker makes it, outside of a chain."""

    def make(name: str, *, durable: bool = True, **options: Any) -> WorkerOperation:
        used = OperationContext(
            context.worker_id, context.node_id, context.hostname, durable=durable, scratch=context.scratch
        )
        is_reader = isinstance(OPERATIONS[name], ReaderKind)
        entry = {"_op": name, **options}
        entries = [entry, {"_op": "noop"}] if is_reader else [{"_op": "data_generator"}, entry]
        return make_parts(execution(*entries), used).operations[0 if is_reader else 1]

    return make


MakeBundle = Callable[..., AssetPlace]
MakeCode = Callable[[dict[str, str]], isolation.BundleCode]


@pytest.fixture
def bundle(tmp_path: Path) -> Iterator[MakeBundle]:
    """Bundles from texts, with an id each; what their code leaves in this process is removed afterwards."""
    ids = iter(range(1, 100))
    finders, import_module = list(sys.meta_path), importlib.import_module
    monkey = pytest.MonkeyPatch()
    monkey.delenv(isolation.ENVIRONMENT, raising=False)

    def make(files: dict[str, str], *, version: str = "1.0.0", **about: Any) -> AssetPlace:
        asset_id = f"{next(ids):040x}"
        folder = tmp_path / "assets" / asset_id
        folder.mkdir(parents=True)
        files = {"asset.json": orjson.dumps({"name": "tools", "version": version, **about}).decode()} | files
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        return AssetPlace(asset_id, "tools", version, folder)

    yield make
    for name in isolation._own_names:
        isolation._forget_modules(name)
    isolation._own_names.clear()
    isolation._bundles.clear()
    isolation._forget_modules(isolation.PREFIX.removesuffix("."))
    sys.meta_path[:] = finders
    importlib.import_module = import_module
    monkey.undo()


@pytest.fixture
def code(bundle: MakeBundle) -> MakeCode:
    """The code of a bundle from texts."""

    def make(files: dict[str, str]) -> isolation.BundleCode:
        place = bundle(files)
        return isolation.bundle_code(f"a{place.asset_id}", place.directory)

    return make
