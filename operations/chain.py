"""One slice through the operations of a job, in a worker.

A chain makes one try of a slice and says how it ended; whether there is another try is the controller's
decision.  An error of the author's code never gets out of `run`.  `marker[0]` is the place of the running
operation + 1, 0 when none runs, and more than there are operations in an API or observer: a page of shared
memory there tells a daemon where its worker died.
"""

from __future__ import annotations

import asyncio
import gc
import traceback
from collections.abc import MutableSequence
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Any

import orjson
import structlog

from sliceworks.operations.analytics import Meter
from sliceworks.operations.chain_parts import ChainParts
from sliceworks.operations.context import OperationContext
from sliceworks.operations.errors import FatalSliceError, ShutdownError, SoftTimeoutError
from sliceworks.operations.failure import error_text
from sliceworks.operations.hooks import Hooks, Overrides, announce
from sliceworks.operations.making import make_parts
from sliceworks.operations.registry import BUILT_IN, Catalog
from sliceworks.operations.steps import argument_for, not_a_list, steps_of
from sliceworks.protocol.documents import ExecutionSpec
from sliceworks.protocol.ids import Epoch, Seq, SliceId
from sliceworks.protocol.messages import OperationTotals
from sliceworks.protocol.states import ResultKind

__all__ = ["Chain", "OperationContext", "SliceOutcome", "SliceTask"]

log = structlog.get_logger()


@dataclass(slots=True)
class SliceTask:
    """One try of one slice."""

    slice_id: SliceId
    seq: Seq
    epoch: Epoch
    request: bytes
    retries: int
    """Tries of this slice in which an operation failed, so far."""


@dataclass(slots=True)
class SliceOutcome:
    """How a try ended: COMPLETED, ERROR, TIMED_OUT or FATAL, with the error's text and the operation."""

    kind: ResultKind
    error: str = ""
    op: str = ""
    cause: BaseException | None = field(default=None, compare=False, repr=False)
    """What was raised; for those who run a chain in their own process."""


class Chain:
    """The operations of one execution in one worker.  Made by `open`, used by one task at a time."""

    def __init__(self, execution: ExecutionSpec, parts: ChainParts, marker: MutableSequence[int]) -> None:
        self._names = parts.names
        self.parts = parts
        self._steps = steps_of(parts.operations)
        self._hooks = Hooks.of(parts.operations, parts.apis)
        self._has_opening = self._hooks.has_opening
        self._marker = marker
        self._meter = Meter(len(parts.operations)) if execution.analytics else None
        makes_cycles = any(operation.makes_cycles for operation in parts.operations)
        self._operate = self._pass_through if makes_cycles else self._without_collector
        self._soft_limit_ms = execution.slice_soft_timeout
        self._slice_time = parts.operations[0].context.slice_time

    @classmethod
    async def open(
        cls,
        execution: ExecutionSpec,
        *,
        context: OperationContext,
        marker: MutableSequence[int] | None = None,
        catalog: Catalog = BUILT_IN,
    ) -> Chain:
        """Make the operations and APIs and initialize them: APIs first, each in the order of the job.

        Raises what the author's code raises, with a note that names the operation; those that were
        initialized before it are shut down.
        """
        parts = make_parts(execution, context, catalog)
        await parts.start()
        return cls(execution, parts, [0] if marker is None else marker)

    async def run(self, task: SliceTask) -> SliceOutcome:
        """Make one try; raises nothing but the cancellation of the calling task."""
        marker = self._marker
        try:
            if self._has_opening:
                await self._open_slice(task)
            if self._soft_limit_ms:
                await self._slice_time.spend(self._soft_limit_ms, self._operate(task))
            else:
                await self._operate(task)
            if self._hooks.on_slice_finalizing:
                await announce(self._hooks.on_slice_finalizing, marker, task.slice_id)
        except asyncio.CancelledError as error:
            if _is_cancelled():
                marker[0] = 0
                raise
            outcome = await self._failed(
                task, error
            )  # the author's code awaited something that was cancelled
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the author's code: an outcome, never a crash
            outcome = await self._failed(task, error)
        else:
            outcome = SliceOutcome(ResultKind.COMPLETED)
            if self._hooks.on_slice_finished:
                await self._tell(self._hooks.on_slice_finished, task)
        marker[0] = 0
        return outcome

    def take_totals(self) -> list[OperationTotals]:
        """What the operations did since the last call; empty when the job's `analytics` is off."""
        return self._meter.take_totals() if self._meter else []

    async def close(self) -> None:
        """Flush, then shut every operation down; ShutdownError holds whatever went wrong on the way."""
        errors: list[Exception] = []
        try:
            if self._hooks.has_flush:
                await self._flush()
        except Exception as error:  # noqa: BLE001 - the author's code: the shutdown goes on, the error is raised below
            errors.append(error)
        errors += await self.parts.stop()
        if self._meter:
            self._meter.close()
        if errors:
            message = "operations failed at their shutdown"
            raise ShutdownError(message, errors)

    async def _open_slice(self, task: SliceTask) -> None:
        hooks, marker = self._hooks, self._marker
        await announce(hooks.on_slice_initialized, marker, task.slice_id)
        if task.retries:
            await announce(hooks.on_slice_retry, marker, task.slice_id)
        await announce(hooks.on_slice_started, marker, task.slice_id)

    async def _without_collector(self, task: SliceTask) -> None:
        """All records are freed by the time it runs again: it need not look at any of them."""
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            await self._pass_through(task)
        finally:
            if was_enabled:
                gc.enable()

    async def _pass_through(self, task: SliceTask) -> None:
        marker, meter, hooks = self._marker, self._meter, self._hooks
        marker[0] = 1
        data: Any = orjson.loads(task.request)
        records_in = 0
        now_ns = perf_counter_ns() if meter else 0
        for step in self._steps:
            if hooks.on_operation_start:
                await announce(hooks.on_operation_start, marker, task.slice_id, step.mark - 1)
                now_ns = perf_counter_ns()
            marker[0] = step.mark
            data = step.call(data) if step.takes_batch else step.call(argument_for(step, data))
            if step.is_async:
                data = await data
            if not isinstance(data, list):
                raise not_a_list(step, data)
            if meter:
                count = len(data)
                now_ns = meter.add(step.mark - 1, records_in=records_in, records_out=count, began_ns=now_ns)
                records_in = count
            if hooks.on_operation_complete:
                await announce(hooks.on_operation_complete, marker, task.slice_id, step.mark - 1, len(data))
                now_ns = perf_counter_ns()
        if meter:
            meter.slice_done(now_ns)

    async def _failed(self, task: SliceTask, error: BaseException) -> SliceOutcome:
        place = self._marker[0] - 1
        op = self._names[place] if place >= 0 else ""
        if isinstance(error, MemoryError):
            traceback.clear_frames(error.__traceback__)  # what took the memory is freed before more is needed
        await self._tell(self._hooks.on_slice_failed, task)
        return SliceOutcome(_kind_of(error), error_text(op, error), op, error)

    async def _tell(self, overrides: Overrides, task: SliceTask) -> None:
        """Call hooks that can no longer change the outcome."""
        for hook in overrides:
            try:
                await announce((hook,), self._marker, task.slice_id)
            except Exception as error:  # noqa: BLE001 - the author's code: the outcome is known by now
                text = error_text(self._names[hook.place], error)
                log.error("slice_hook_failed", slice_id=task.slice_id, error=text)

    async def _flush(self) -> None:
        """Run the processors once with no records, so that they can give what they held back."""
        await announce(self._hooks.on_flush_start, self._marker)
        records: list[Any] = []
        for step in self._steps[1:]:
            self._marker[0] = step.mark
            answer = step.call(argument_for(step, records))
            records = await answer if step.is_async else answer
            if not isinstance(records, list):
                raise not_a_list(step, records)
        await announce(self._hooks.on_flush_end, self._marker)
        self._marker[0] = 0


def _kind_of(error: BaseException) -> ResultKind:
    match error:
        case FatalSliceError():
            return ResultKind.FATAL
        case SoftTimeoutError():
            return ResultKind.TIMED_OUT
        case _:
            return ResultKind.ERROR


def _is_cancelled() -> bool:
    """Whether somebody asked this task to end."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
