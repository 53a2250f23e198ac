"""Which operations override which hooks, looked up once.

A hook that nobody overrides is an empty tuple, so that the chain passes it with one test.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, MutableSequence, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

from sliceworks.operations.base import WorkerOperation


@dataclass(frozen=True, slots=True)
class Hook:
    """One operation's override of one hook."""

    place: int
    call: Callable[..., Any]
    is_async: bool


Overrides: TypeAlias = tuple[Hook, ...]


@dataclass(frozen=True, slots=True)
class Hooks:
    """The overrides of each hook, in the order of the operations."""

    on_slice_initialized: Overrides
    on_slice_retry: Overrides
    on_slice_started: Overrides
    on_slice_finalizing: Overrides
    on_slice_finished: Overrides
    on_slice_failed: Overrides
    on_operation_start: Overrides
    on_operation_complete: Overrides
    on_flush_start: Overrides
    on_flush_end: Overrides

    @classmethod
    def of(cls, operations: Sequence[WorkerOperation]) -> Hooks:
        """The hooks of these operations."""
        return cls(**{field.name: _overrides(field.name, operations) for field in fields(cls)})

    @property
    def has_opening(self) -> bool:
        """Whether anything is called before the fetcher."""
        return bool(self.on_slice_initialized or self.on_slice_retry or self.on_slice_started)

    @property
    def has_flush(self) -> bool:
        """Whether any operation holds records back until the end."""
        return bool(self.on_flush_start or self.on_flush_end)


async def announce(overrides: Overrides, marker: MutableSequence[int], *arguments: Any) -> None:
    """Call each override in turn; `marker[0]` says whose is running, the first error ends it."""
    for hook in overrides:
        marker[0] = hook.place + 1
        answer = hook.call(*arguments)
        if hook.is_async:
            await answer


def _overrides(name: str, operations: Sequence[WorkerOperation]) -> Overrides:
    default = getattr(WorkerOperation, name)
    methods = [(place, getattr(operation, name)) for place, operation in enumerate(operations)]
    return tuple(
        Hook(place, method, inspect.iscoroutinefunction(method))
        for place, method in methods
        if getattr(method, "__func__", method) is not default
    )
