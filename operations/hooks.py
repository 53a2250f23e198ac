"""Which operations override which hooks, looked up once.

A hook that nobody overrides is an empty tuple, so that the chain passes it with one test.  APIs and observers
stand around the operations: theirs come first when something begins, and last when it ends.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, MutableSequence, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, TypeAlias

from sliceworks.operations.base import WorkerOperation

_ENDS: Final = frozenset(
    {
        "on_slice_finalizing",
        "on_slice_finished",
        "on_slice_failed",
        "on_operation_complete",
        "on_flush_end",
    }
)


@dataclass(frozen=True, slots=True)
class Hook:
    """One operation's override of one hook; APIs and observers have the places after the operations."""

    place: int
    call: Callable[..., Any]
    is_async: bool


Overrides: TypeAlias = tuple[Hook, ...]


@dataclass(frozen=True, slots=True)
class Hooks:
    """The overrides of each hook, in the order in which they are called."""

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
    def of(cls, operations: Sequence[WorkerOperation], apis: Sequence[WorkerOperation] = ()) -> Hooks:
        """The hooks of these operations, and of the APIs and observers around them."""
        placed = list(enumerate((*operations, *apis)))
        inner, outer = placed[: len(operations)], placed[len(operations) :]
        orders = {True: [*inner, *reversed(outer)], False: [*outer, *inner]}
        return cls(
            **{field.name: _overrides(field.name, orders[field.name in _ENDS]) for field in fields(cls)}
        )

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


def _overrides(name: str, placed: Sequence[tuple[int, WorkerOperation]]) -> Overrides:
    default = getattr(WorkerOperation, name)
    methods = [(place, getattr(operation, name)) for place, operation in placed]
    return tuple(
        Hook(place, method, inspect.iscoroutinefunction(method))
        for place, method in methods
        if getattr(method, "__func__", method) is not default
    )
