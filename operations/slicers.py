"""All slicers of one execution, as the slicer child runs them.

Whatever an author's slicer is (one object or many, functions, `async` or not), the outside sees the same:
`next` answers the slices of one whole call as JSON text.  Nothing leaves this room that is not a valid
request.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Literal, TypeAlias

import orjson
import structlog

from sliceworks.operations.errors import NotRecoverableError, SlicerError
from sliceworks.operations.failure import error_text
from sliceworks.operations.making import make_slicer
from sliceworks.operations.reader import ParallelSlicer, Recovery, SliceEnd, SliceInfo, Slicer
from sliceworks.operations.registry import BUILT_IN, Catalog
from sliceworks.protocol.documents import ExecutionSpec
from sliceworks.protocol.messages import MAX_REQUEST_BYTES


class NothingNow(Enum):
    """The one value of this type: ask again later."""

    NOTHING_NOW = "nothing now"


NOTHING_NOW: Final = NothingNow.NOTHING_NOW

Slices: TypeAlias = list[bytes] | Literal[NothingNow.NOTHING_NOW] | None


HOOKS: Final = {
    "enqueued": "on_slice_enqueued",
    "dispatch": "on_slice_dispatch",
    "complete": "on_slice_complete",
    "statistics": "on_execution_stats",
}
"""The methods of slicers that are told what happens."""

log = structlog.get_logger(__name__)


class _Source:
    """One slicer."""

    __slots__ = ("ask_checkpoint", "call", "checkpoint", "is_async", "is_finished")

    def __init__(self, call: Callable[[], Any] | None, ask_checkpoint: Callable[[], Any] | None) -> None:
        self.call = call or _nothing
        self.ask_checkpoint = ask_checkpoint
        self.checkpoint: bytes | None = None
        self.is_async = inspect.iscoroutinefunction(call)
        self.is_finished = call is None


@dataclass(frozen=True, slots=True)
class _Traits:
    """What the author's class says of itself."""

    recoverable: bool
    relocatable: bool
    max_queue_length: int


class SlicerSet:
    """The slicers of one execution.  Made by `open`."""

    def __init__(
        self,
        execution: ExecutionSpec,
        slicer: Slicer | ParallelSlicer,
        *,
        sources: list[_Source],
        traits: _Traits,
    ) -> None:
        self.slicers = len(sources)
        self.recoverable = traits.recoverable
        self.relocatable = traits.relocatable
        self.max_queue_length = traits.max_queue_length
        self._op = execution.operations[0].op
        self.hooks = [hook for hook, method in HOOKS.items() if _is_overridden(slicer, method)]
        """Which of enqueued, dispatch, complete and statistics the slicer wants to hear of."""
        self._is_endless = execution.lifecycle == "persistent"
        self._slicer = slicer
        self._sources = sources

    @classmethod
    async def open(
        cls, execution: ExecutionSpec, *, recovery: Recovery, catalog: Catalog = BUILT_IN
    ) -> SlicerSet:
        """Make and initialize them; with a `recovery` that is not empty, they go on after it.

        Raises NotRecoverableError or SlicerError if they cannot, and what the author's code raises, with a
        note that names it.
        """
        slicer = make_slicer(execution, catalog)
        op = execution.operations[0].op
        entries = [_entry(item) for item in recovery if _is_told(item)]
        try:
            if entries and not await _settled(slicer.is_recoverable()):
                message = f"the slicer of {op} is not recoverable: start the job again instead"
                raise NotRecoverableError(message)
            await _settled(slicer.initialize(entries))
            sources = await _sources(slicer, execution.slicers)
            return cls(execution, slicer, sources=sources, traits=await _traits(slicer))
        except BaseException as error:
            error.add_note(f"while the slicer of {op} was initialized")
            raise

    async def next(self, slicer_id: int) -> Slices:
        """The requests of one `slice()` call as JSON; None: no more, ever; NOTHING_NOW: ask again later.

        A slicer that raises fails with a note that names it; a request that is no JSON value or too large,
        with a SlicerError.
        """
        source = self._sources[slicer_id]
        if source.is_finished:
            return None
        try:
            made: Any = source.call()
            if source.is_async:
                made = await made
            if source.ask_checkpoint:
                source.checkpoint = self._checked(slicer_id, await _settled(source.ask_checkpoint()))
        except BaseException as error:
            error.add_note(f"in slicer {slicer_id} of {self._op}")
            raise
        if made is None:
            source.is_finished = not self._is_endless
            return NOTHING_NOW if self._is_endless else None
        if isinstance(made, list):
            return [self._encode(slicer_id, request) for request in made] or NOTHING_NOW
        return [self._encode(slicer_id, made)]

    def checkpoint(self, slicer_id: int) -> bytes | None:
        """What the slicer wants to be kept together with all slices that `next` has answered; None: nothing.

        It was asked when its last call returned, so it never runs ahead of the slices.
        """
        return self._sources[slicer_id].checkpoint

    async def tell_slice(self, what: str, told: SliceInfo | SliceEnd) -> None:
        """Call the hook; what it raises is logged."""
        await self._call(HOOKS[what], told)

    async def tell_statistics(self, statistics: Mapping[str, Any]) -> None:
        """Call the hook; what it raises is logged."""
        await self._call(HOOKS["statistics"], statistics)

    async def _call(self, method: str, told: object) -> None:
        try:
            await _settled(getattr(self._slicer, method)(told))
        except Exception as error:  # noqa: BLE001 - the author's code: what it is told of has happened anyway
            log.error("slicer_hook_failed", op=self._op, hook=method, error=error_text(self._op, error))

    async def close(self) -> None:
        """Shut the slicers down; raises what the author's code raises."""
        await _settled(self._slicer.shutdown())

    def _checked(self, slicer_id: int, found: Any) -> bytes | None:
        if found is None or isinstance(found, bytes):
            return found
        message = f"slicer {slicer_id} of {self._op}: checkpoint() returned {type(found).__name__}, not bytes"
        raise SlicerError(message)

    def _encode(self, slicer_id: int, request: Any) -> bytes:
        try:
            text = orjson.dumps(request)
        except TypeError as error:
            message = f"slicer {slicer_id} of {self._op} made a request that is no JSON value: {error}"
            raise SlicerError(message) from error
        if len(text) <= MAX_REQUEST_BYTES and request is not None:
            return text
        reason = (
            f"{len(text)} bytes, {MAX_REQUEST_BYTES} is the limit"
            if request is not None
            else "null in a list"
        )
        message = f"slicer {slicer_id} of {self._op} made a request that cannot be used: {reason}"
        raise SlicerError(message)


def _is_overridden(slicer: Slicer | ParallelSlicer, method: str) -> bool:
    return getattr(type(slicer), method) is not getattr(Slicer, method)


async def _traits(slicer: Slicer | ParallelSlicer) -> _Traits:
    return _Traits(
        recoverable=bool(await _settled(slicer.is_recoverable())),
        relocatable=bool(await _settled(slicer.is_relocatable())),
        max_queue_length=int(await _settled(slicer.max_queue_length())),
    )


async def _sources(slicer: Slicer | ParallelSlicer, count: int) -> list[_Source]:
    if isinstance(slicer, Slicer):
        keeps = type(slicer).checkpoint is not Slicer.checkpoint
        return [_Source(slicer.slice, slicer.checkpoint if keeps else None)]
    takes_id = bool(inspect.signature(slicer.new_slicer).parameters)
    sources = []
    for slicer_id in range(count):
        made = slicer.new_slicer(slicer_id) if takes_id else slicer.new_slicer()
        sources.append(_source_of(await _settled(made)))
    return sources


def _source_of(made: Any) -> _Source:
    """What `new_slicer` returned: an object with `slice`, a function, or None."""
    call = getattr(made, "slice", made)
    if call is not None and not callable(call):
        message = f"new_slicer returned {type(made).__name__}: a function or an object with slice() is wanted"
        raise SlicerError(message)
    return _Source(call, getattr(made, "checkpoint", None))


def _entry(item: dict[str, Any]) -> dict[str, Any]:
    """An entry of the recovery as authors get it: without a checkpoint if there is none."""
    return {name: value for name, value in item.items() if name != "checkpoint" or value is not None}


def _is_told(item: dict[str, Any]) -> bool:
    """Whether a slicer has anything to go on from: it may have made no slice yet."""
    return item["last_slice"] is not None or item.get("checkpoint") is not None


async def _settled(answer: Any) -> Any:
    """The answer of a method, be it `def` or `async def`."""
    return await answer if inspect.isawaitable(answer) else answer


def _nothing() -> None:
    return None
