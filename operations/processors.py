"""Base classes of processors: one for whole batches, three for single records.

A record that makes `map`, `for_each` or `filter` raise is dealt with as the operation's
`_dead_letter_action` says; the others go on.  What a whole-batch processor raises fails the slice.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from sliceworks.operations.base import OperationSetup, WorkerOperation
from sliceworks.operations.record import Record, Records


class Processor(WorkerOperation):
    """Base of all processors."""

    def on_batch(self, records: Records) -> Records | Awaitable[Records]:
        """The records that go on, as a list: the same one, or another of any length."""
        raise NotImplementedError


class BatchProcessor(Processor):
    """Gets all records of a slice at once: override `on_batch`."""


class RecordProcessor(Processor):
    """What the processors of single records share."""

    method: ClassVar[str]
    """Name of the method that is called for each record."""

    def __init__(self, setup: OperationSetup) -> None:
        super().__init__(setup)
        self._call: Callable[[Record], Any] = getattr(self, self.method)
        self.is_async = inspect.iscoroutinefunction(self._call)

    def on_batch(self, records: Records) -> Records | Awaitable[Records]:
        """Calls the method for each record in turn; a coroutine if the method is one."""
        if self.is_async:
            return self._on_batch_async(records)
        return self._on_batch_sync(records)

    def settle(self, record: Record, answer: Any) -> Record | None:
        """The record that goes on after the method gave this answer; None if none does."""
        raise NotImplementedError

    def _on_batch_sync(self, records: Records) -> Records:
        call, settle, kept = self._call, self.settle, []
        for record in records:
            try:
                result = settle(record, call(record))
            except Exception as error:  # noqa: BLE001 - the author's code: the job says what becomes of it
                self.reject_record(record, error)
                continue
            if result is not None:
                kept.append(result)
        return kept

    async def _on_batch_async(self, records: Records) -> Records:
        call, settle, kept = self._call, self.settle, []
        for record in records:
            try:
                result = settle(record, await call(record))
            except Exception as error:  # noqa: BLE001 - the author's code: the job says what becomes of it
                self.reject_record(record, error)
                continue
            if result is not None:
                kept.append(result)
        return kept


class MapProcessor(RecordProcessor):
    """Makes one record from each."""

    method = "map"

    def map(self, record: Record) -> Record | Awaitable[Record]:
        """The record that goes on in place of this one; it may be the same, changed."""
        raise NotImplementedError

    def settle(self, record: Record, answer: Any) -> Record | None:
        """What `map` returned; returning nothing is taken for the mistake that it is."""
        if not isinstance(answer, dict):
            message = f"map returned {type(answer).__name__}, it must return a record"
            raise TypeError(message)
        return answer


class EachProcessor(RecordProcessor):
    """Looks at each record and passes it on."""

    method = "for_each"

    def for_each(self, record: Record) -> Awaitable[None] | None:
        """Called for its effect; what it returns is ignored."""
        raise NotImplementedError

    def settle(self, record: Record, answer: Any) -> Record | None:
        """The record itself."""
        return record


class FilterProcessor(RecordProcessor):
    """Passes on some of the records."""

    method = "filter"

    def filter(self, record: Record) -> bool | Awaitable[bool]:
        """Whether the record goes on."""
        raise NotImplementedError

    def settle(self, record: Record, answer: Any) -> Record | None:
        """The record, if the answer is true."""
        return record if answer else None
