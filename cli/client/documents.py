"""What the master answers, typed.

Each class has the fields that programs use, with names without underscores; `document` is the whole answer,
with all the fields of a job that its operations or a later version added.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, field

from sliceworks.cli.client.refusals import no_master
from sliceworks.protocol.states import TERMINAL_STATUSES, ExecutionStatus

Json = dict[str, Any]


class Document(Struct, frozen=True, kw_only=True):
    """An answer."""

    document: Json = field(default_factory=dict)
    """All of it, as the master gave it."""


D = TypeVar("D", bound=Document)


class LogLevel(StrEnum):
    """What an execution logs."""

    TRACE = "trace"
    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"
    FATAL = "fatal"


class Job(Document, frozen=True, kw_only=True):
    """A stored job, as it was posted."""

    job_id: str
    name: str = "Custom Job"
    lifecycle: str = "once"
    active: bool = True
    deleted: bool = field(name="_deleted", default=False)
    created: str = field(name="_created", default="")
    updated: str = field(name="_updated", default="")


class Execution(Document, frozen=True, kw_only=True):
    """One run of a job."""

    ex_id: str
    job_id: str
    status: ExecutionStatus = field(name="_status")
    name: str = ""
    lifecycle: str = "once"
    workers: int = 0
    slicers: int = 0
    status_reason: str = field(name="_status_reason", default="")
    """What it waits for."""
    failure_reason: str = field(name="_failureReason", default="")
    has_errors: bool = field(name="_has_errors", default=False)
    deleted: bool = field(name="_deleted", default=False)
    created: str = field(name="_created", default="")
    updated: str = field(name="_updated", default="")
    recovered_execution: str | None = None
    assets: list[str] | None = None

    @property
    def is_over(self) -> bool:
        """Whether its status never changes again."""
        return self.status in TERMINAL_STATUSES


class Slice(Document, frozen=True, kw_only=True):
    """What became of one slice."""

    slice_id: str
    ex_id: str
    slicer_id: int
    slicer_order: int
    state: str
    request: str
    """JSON text."""
    error: str | None = None
    reason: str | None = None
    retry_count: int = 0
    created: str = field(name="_created", default="")
    updated: str = field(name="_updated", default="")


class Counts(Document, frozen=True, kw_only=True):
    """How many slices of an execution are in each state."""

    pending: int
    start: int
    completed: int
    error: int

    @property
    def made(self) -> int:
        """All slices there are by now."""
        return self.pending + self.start + self.completed + self.error

    @property
    def done(self) -> int:
        """Those that are over."""
        return self.completed + self.error


class Started(Document, frozen=True, kw_only=True):
    """What became of a submit, a start or a recover; `ex_id` is empty when nothing was started."""

    job_id: str
    ex_id: str = ""


class Stopped(Document, frozen=True, kw_only=True):
    """The status after a stop; `stopping`, if it was not to wait."""

    status: ExecutionStatus
    message: str = ""


class Controller(Document, frozen=True, kw_only=True):
    """What the controller of a living execution counts."""

    ex_id: str
    job_id: str
    name: str = ""
    processed: int = 0
    failed: int = 0
    queued: int = 0
    slicers: int = 0
    workers_active: int = 0
    workers_available: int = 0
    workers_joined: int = 0
    workers_reconnected: int = 0
    workers_disconnected: int = 0
    job_duration: int = 0
    started: str | None = None
    queuing_complete: str | bool | None = None


class Process(Struct, frozen=True, kw_only=True):
    """A process of a node."""

    worker_id: int | str
    assignment: str
    pid: int | str | None = None
    ex_id: str | None = None
    job_id: str | None = None


class Node(Document, frozen=True, kw_only=True):
    """A worker daemon, or the master's host, which has no slots."""

    node_id: str
    hostname: str
    state: str
    pid: int | str = "N/A"
    total: int | str = 0
    """Slots for workers."""
    available: int | str = 0
    draining: bool = False
    teraslice_version: str = ""
    sliceworks_version: str = ""
    active: list[Process] = field(default_factory=list)

    @property
    def is_connected(self) -> bool:
        """Whether the master hears of it."""
        return self.state == "connected"


class ClusterInfo(Document, frozen=True, kw_only=True):
    """What the master is."""

    name: str
    arch: str = ""
    clustering_type: str = ""
    platform: str = ""
    node_version: str = ""
    teraslice_version: str = ""
    python_version: str = ""
    sliceworks_version: str = ""


class ClusterSums(Document, frozen=True, kw_only=True):
    """What all executions together did."""

    processed: int = 0
    failed: int = 0
    queued: int = 0
    job_duration: int = 0
    workers_joined: int = 0
    workers_disconnected: int = 0
    workers_reconnected: int = 0


class Asset(Document, frozen=True, kw_only=True):
    """A stored bundle of operations."""

    id: str
    name: str
    version: str
    description: str | None = ""
    created: str = field(name="_created", default="")


def read(kind: type[D], answer: object) -> D:
    """The answer as one of these classes; UnavailableError names the field if it is none."""
    if not isinstance(answer, Mapping):
        raise no_master(what=f"no {kind.__name__.lower()}")
    try:
        return msgspec.convert({**answer, "document": answer}, kind)
    except msgspec.ValidationError as error:
        raise no_master(what=f"no {kind.__name__.lower()} ({error})") from error


def read_all(kind: type[D], answer: object) -> list[D]:
    """The same for a list."""
    if not isinstance(answer, Iterable):
        raise no_master(what="no list")
    return [read(kind, item) for item in answer]
