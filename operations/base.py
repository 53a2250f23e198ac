"""What all operations have in common: their options, the job they belong to, a log, the hooks of a worker.

Every method may be `def` or `async def`.  Which of the two it is, and which hooks are overridden at all, is
looked up once, when a worker starts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from structlog.typing import FilteringBoundLogger

from sliceworks.operations import payload
from sliceworks.operations.apis import Apis
from sliceworks.operations.context import OperationContext
from sliceworks.operations.errors import FatalSliceError, SoftTimeoutError
from sliceworks.operations.options import OperationOptions
from sliceworks.operations.record import DataEntity, Record
from sliceworks.protocol.documents import ExecutionSpec, OperationSpec
from sliceworks.protocol.ids import SliceId

MAX_LOGGED_RECORD_CHARS = 10_000

Maybe = Awaitable[None] | None


@dataclass(frozen=True, slots=True)
class OperationSetup:
    """What an operation is made from."""

    spec: OperationSpec
    options: OperationOptions
    execution: ExecutionSpec
    logger: FilteringBoundLogger
    context: OperationContext | None = None
    """Where it runs; None for slicers."""
    apis: Apis = field(default_factory=Apis)
    """The APIs of its worker."""


class Operation:
    """Base of slicers, fetchers and processors."""

    Options: ClassVar[type[OperationOptions]] = OperationOptions
    """The schema of the options; declare it as a nested class."""

    op_config: Any
    """The options, checked: an instance of `Options`; annotate it (`op_config: Options`) to have it typed."""
    execution_config: ExecutionSpec
    """The job as it runs, with all defaults."""
    logger: FilteringBoundLogger
    """Logs with execution and operation bound."""

    def __init__(self, setup: OperationSetup) -> None:
        self.op_config = setup.options
        self.execution_config = setup.execution
        self.logger = setup.logger
        self.operation_spec = setup.spec

    def shutdown(self) -> Maybe:
        """Give back what `initialize` took; called once, but never if the process is killed."""
        return None


class WorkerOperation(Operation):
    """Base of what runs in workers.  Hooks that are not overridden are never called, so they cost nothing.

    For each try of a slice: `on_slice_initialized`, `on_slice_retry` if an earlier try failed,
    `on_slice_started`, the operations, `on_slice_finalizing`, then `on_slice_finished` or
    `on_slice_failed`.  An error in a hook before the last two fails the try; in those it is logged only,
    for the outcome is known by then.

    Time: with the job's `slice_soft_timeout` an operation is told when its slice takes longer.  What it is
    awaiting then is cancelled (`asyncio.CancelledError` is raised there, so `finally` and `async with` clean
    up), and the try fails with SoftTimeoutError unless the operation copes.  Code that does not await asks
    `self.context.slice_time.seconds_left`, or calls `self.context.slice_time.check()` now and then, which
    raises SoftTimeoutError.  At `slice_timeout` the whole worker is killed, without a word.
    """

    keeps_batches: ClassVar[bool] = False
    """Whether it can work on a `RecordBatch`; otherwise it gets such a batch as a list of `DataEntity`."""

    makes_cycles: ClassVar[bool] = True
    """Whether what it makes for a slice may refer to itself in a circle, or it is `async`.

    A chain in which no operation does runs each slice without the garbage collector, which would look at
    all records again and again.
    """

    context: OperationContext

    def __init__(self, setup: OperationSetup) -> None:
        super().__init__(setup)
        if setup.context is None:
            message = f"{setup.spec.op} runs in workers only"
            raise TypeError(message)
        self.context = setup.context
        self._apis = setup.apis

    def initialize(self) -> Maybe:
        """Called once before the first slice; an error here means that the worker cannot start."""
        return None

    def reject_record(self, record: Any, error: Exception) -> None:
        """Do with a bad record what `_dead_letter_action` says: raise, log, drop it, or give it to an API.

        A FatalSliceError or SoftTimeoutError is always raised.  What the API raises is raised, too.
        """
        action = self.operation_spec.dead_letter_action
        if action == "throw" or isinstance(error, FatalSliceError | SoftTimeoutError):
            raise error
        if action == "log":
            shown = repr(record)[:MAX_LOGGED_RECORD_CHARS]
            self.logger.error("record_rejected", record=shown, error=f"{type(error).__name__}: {error}")
        elif action != "none":
            self._apis.get(action)(record, error)

    def get_api(self, name: str | None = None) -> Any:
        """What the API of this name handed out; without a name, the API of the operation's `_api_name`.

        Names are those of the job's `apis`, with their tags.  They are there from `initialize` on, for an
        API those before it in the list; LookupError if there is none.
        """
        wanted = name or self.operation_spec.options.get("_api_name")
        if not wanted:
            message = f"{self.operation_spec.op} asks for its API, but the job gives it no _api_name"
            raise LookupError(message)
        return self._apis.get(wanted)

    def decode(self, data: bytes | str, metadata: Mapping[str, Any] | None = None) -> DataEntity:
        """The record that these bytes stand for, by the operation's `_encoding`.

        `json`: a JSON object, ValueError or TypeError if they are none; `raw`: `{"data": bytes}`.
        """
        return payload.decode(data, self.operation_spec.encoding, metadata)

    def encode(self, record: Record) -> bytes:
        """The bytes of a record, by the operation's `_encoding`; TypeError if it has none."""
        return payload.encode(record, self.operation_spec.encoding)

    def on_slice_initialized(self, slice_id: SliceId) -> Maybe:
        """A try of this slice is about to begin."""
        return None

    def on_slice_retry(self, slice_id: SliceId) -> Maybe:
        """An operation failed in an earlier try of this slice, in this worker or another."""
        return None

    def on_slice_started(self, slice_id: SliceId) -> Maybe:
        """The fetcher is next."""
        return None

    def on_slice_finalizing(self, slice_id: SliceId) -> Maybe:
        """All operations are done; the slice is not yet reported."""
        return None

    def on_slice_finished(self, slice_id: SliceId) -> Maybe:
        """The try succeeded."""
        return None

    def on_slice_failed(self, slice_id: SliceId) -> Maybe:
        """The try failed; another worker may be given the next one."""
        return None

    def on_operation_start(self, slice_id: SliceId, index: int) -> Maybe:
        """Operation number `index` of the job (0 is the fetcher) is about to run."""
        return None

    def on_operation_complete(self, slice_id: SliceId, index: int, processed: int) -> Maybe:
        """Operation number `index` has returned `processed` records."""
        return None

    def on_flush_start(self) -> Maybe:
        """The worker ends: the processors run once more, with no records, to give what they held back."""
        return None

    def on_flush_end(self) -> Maybe:
        """The flush is done."""
        return None
