"""The shapes of answers, as types: what `/openapi.json` says of them, and what tests hold them to.

Answers may have more fields than are named here; those named are there with the type that stands here.  What
is not always there is marked so.  A field's text below it is its description.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, NotRequired, TypeAlias

from pydantic import ConfigDict, Field, with_config
from typing_extensions import TypedDict

from sliceworks.protocol.documents import ExecutionSpec, JobSpec
from sliceworks.protocol.states import ExecutionStatus

_documented: Final = with_config(ConfigDict(use_attribute_docstrings=True))

AS_POSTED: Final = "as posted"
"""Marks a document that is answered as it was posted, without defaults."""

Time = Annotated[
    str, Field(description="ISO 8601, UTC, with milliseconds", json_schema_extra={"format": "date-time"})
]


@_documented
class Problem(TypedDict):
    """Why something was not done."""

    error: int
    """the HTTP status"""
    message: str
    """what happened, to what, and what to do"""
    faults: NotRequired[list[FaultAnswer]]
    """everything that is wrong with what was sent"""
    request_id: NotRequired[str]
    """of an unexpected error: the log has it under this id"""


@_documented
class FaultAnswer(TypedDict):
    """One thing that is wrong with what was sent."""

    path: str
    """where: names and places, parted by dots"""
    message: str
    """what"""


class Root(TypedDict):
    """What answers here."""

    arch: str
    clustering_type: str
    name: str
    node_version: str
    platform: str
    teraslice_version: str
    python_version: str
    sliceworks_version: str


@_documented
class Process(TypedDict):
    """A process of the cluster."""

    worker_id: int
    """of the worker; of another process its pid"""
    assignment: Literal["cluster_master", "execution_controller", "worker"]
    pid: int
    ex_id: NotRequired[str]
    job_id: NotRequired[str]
    state: NotRequired[str]
    """of a worker: starting, idle, busy or ending"""
    assets: NotRequired[list[str]]
    """of a worker: the ids of its execution's assets"""


class Link(TypedDict):
    """The connection of a node to the controller of one execution."""

    ex_id: str
    connected: bool


@_documented
class Node(TypedDict):
    """A worker daemon, or the master's host."""

    node_id: str
    hostname: str
    pid: int
    node_version: str
    """the version of its Python"""
    teraslice_version: str
    sliceworks_version: NotRequired[str]
    total: int
    """slots for workers"""
    state: Literal["connected", "disconnected"]
    available: int
    """slots that are free"""
    draining: NotRequired[bool]
    """it is given nothing more"""
    active: list[Process]
    links: NotRequired[list[Link]]


class Sums(TypedDict):
    """Over all executions that ever ran; `queued`: over those that run."""

    processed: int
    failed: int
    queued: int
    job_duration: int
    workers_joined: int
    workers_disconnected: int
    workers_reconnected: int


class ClusterStats(TypedDict):
    """The cluster's sums, under both names."""

    controllers: Sums
    slicer: Sums


@_documented
class Statistics(TypedDict):
    """The counters of an execution."""

    workers_available: int
    workers_active: int
    workers_joined: int
    workers_reconnected: int
    workers_disconnected: int
    job_duration: int
    """seconds; set at the end"""
    failed: int
    subslices: int
    queued: int
    """slices that are made and not given out"""
    slice_range_expansion: int
    processed: int
    """slices that came to an end, the failed ones included"""
    slicers: int
    subslice_by_key: int
    started: NotRequired[Time]
    """once the controller runs"""
    queuing_complete: NotRequired[Time]
    """once slicing is over"""


@_documented
class ControllerStats(Statistics):
    """A connected controller and its counters, in both spellings."""

    ex_id: str
    job_id: str
    name: str
    available_workers: int
    active_workers: int
    joined_workers: int
    reconnected_workers: int
    disconnected_workers: int


@_documented
class Operation(TypedDict):
    """What one operation of an execution did, added up."""

    op: str
    slices: int
    time_us: int
    records_in: int
    records_out: int
    memory_bytes: int
    """the highest resident size seen after a slice"""


@_documented
class Started(TypedDict):
    """What was stored or started."""

    job_id: str
    ex_id: NotRequired[str]
    """if it was started"""


@_documented
class Status(TypedDict):
    """The status now."""

    status: ExecutionStatus
    message: NotRequired[str]
    """of a stop by force"""


class Level(TypedDict):
    """What is logged from now on."""

    exId: str
    level: str


class Draining(TypedDict):
    """Whether a node is given no work."""

    node_id: str
    draining: bool


class SliceCounts(TypedDict):
    """How many slices are in each state."""

    pending: int
    start: int
    completed: int
    error: int


@_documented
class Attempt(TypedDict):
    """One try of a slice by one worker."""

    epoch: int
    """its number, from 1"""
    start: Time | None
    end: Time | None
    run_us: int | None
    node: str | None
    """node_id"""
    worker: int | None
    """worker_id"""
    outcome: Literal["running", "completed", "error", "lost", "returned", "timed_out"]
    error: NotRequired[str]
    op: NotRequired[str]
    """the operation it was in"""
    exit_code: NotRequired[int]
    signal: NotRequired[int]
    log_tail: NotRequired[str]
    """the last lines that the worker wrote"""


@_documented
class Slice(TypedDict):
    """One unit of work."""

    slice_id: str
    slicer_id: int
    slicer_order: int
    """from 1, for each slicer"""
    request: str
    """what the slicer made, as JSON text"""
    state: Literal["pending", "start", "completed", "error"]
    ex_id: str
    _created: Time
    _updated: Time
    attempts: list[Attempt]
    retry_count: int
    """tries after the first that operation errors made necessary, if there were any"""
    reason: NotRequired[Literal["failed", "timeout", "poison", "lost", "invalid", "revoked"]]
    """why it is in `error`"""
    error: NotRequired[str]
    """the text of the failure that ended it"""


class JobDocument(JobSpec):
    """A job as it is posted; what is left out gets its default in the execution."""


class InactiveDocument(TypedDict):
    """A job that is put away: it may have anything in it; making it active checks it."""

    active: Literal[False]


class Job(JobSpec):
    """A job as it was posted, with its identity."""

    job_id: str
    context: Literal["job"] = Field(alias="_context")
    created: Time = Field(alias="_created")
    updated: Time = Field(alias="_updated")
    deleted: bool | None = Field(default=None, alias="_deleted", description="true if it was deleted")
    deleted_on: Time | None = Field(default=None, alias="_deleted_on")
    ex: Any = Field(default=None, description="its latest execution, if it was asked for")


class InactiveJob(TypedDict):
    """A job that was put away, with whatever was posted, and its identity."""

    job_id: str
    active: Literal[False]
    _context: Literal["job"]
    _created: Time
    _updated: Time
    _deleted: NotRequired[bool]
    _deleted_on: NotRequired[Time]


def _has_defaults_filled_in(schema: dict[str, Any]) -> None:
    """What has a default is always there; what may be null may also be missing."""
    told = schema["properties"].items()
    schema["required"] = [name for name, field in told if field.get("default", ...) is not None]


class Execution(ExecutionSpec):
    """One run of a job: the job with all defaults, and what became of it."""

    model_config = ConfigDict(json_schema_extra=_has_defaults_filled_in)

    context: Literal["ex"] = Field(alias="_context")
    created: Time = Field(alias="_created")
    updated: Time = Field(alias="_updated")
    status: ExecutionStatus = Field(alias="_status")
    status_reason: str = Field(alias="_status_reason", description="what it waits for; empty if nothing")
    has_errors: bool = Field(alias="_has_errors")
    failure_reason: str = Field(alias="_failureReason")
    slicer_stats: Statistics | Annotated[dict[str, Any], Field(max_length=0)] = Field(
        alias="_slicer_stats", description="what its controller counts; an empty object before there is one"
    )
    analytics_totals: list[Operation] = Field(alias="_analytics")
    teraslice_version: str
    metadata: dict[str, Any]
    slicer_hostname: str | None = Field(
        default=None, description="where its controller listens, once it does"
    )
    slicer_port: int | None = None
    deleted: bool | None = Field(default=None, alias="_deleted", description="true if its job was deleted")
    deleted_on: Time | None = Field(default=None, alias="_deleted_on")


JobAsPosted: TypeAlias = Annotated[Job | InactiveJob, AS_POSTED]


class AssetIds(TypedDict):
    """Which asset, under both names."""

    _id: str
    asset_id: str


@_documented
class Asset(TypedDict):
    """A bundle of operations."""

    _created: Time
    name: str
    version: str
    id: str
    """SHA-1 of the zip"""
    operations: list[str]
    """the names of the operations and APIs in it"""
    description: NotRequired[str]
    python_version: NotRequired[str]
    node_version: NotRequired[str]
    """repeats python_version"""
    platform: NotRequired[str]
    arch: NotRequired[str]
