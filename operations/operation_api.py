"""What stands beside the operations of a worker: APIs, which operations use, and observers, which only watch.

A job lists them in `apis`, by `_name`: the name of the class's operation, or `name:tag` when it wants several
of one kind.  Each worker has its own.  They are initialized in the order of the list, before all operations,
and shut down after them, last one first.  They have all hooks of a worker operation: those at the begin of
something run before the operations' own, those at its end after them.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from sliceworks.operations.base import OperationSetup, WorkerOperation


class Companion(WorkerOperation):
    """Base of APIs and observers."""

    def __init__(self, setup: OperationSetup) -> None:
        super().__init__(setup)
        self.api_name = setup.spec.op
        """Its name in the job, with the tag."""


class OperationAPI(Companion):
    """Something that operations of a worker share: a client, a cache, a counter.

    An operation gets it by `self.get_api(name)`.  To take records for `_dead_letter_action`, it must hand out
    a callable: a function, or itself with a `__call__(record, error)`; what that raises fails the slice.
    """

    def create_api(self) -> Any | Awaitable[Any]:
        """What operations get; called once, after `initialize`.  Itself, unless this is overridden."""
        return self


class Observer(Companion):
    """Watches the life of slices by its hooks; operations cannot get at it."""
