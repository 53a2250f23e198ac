"""The whole vocabulary of the wire: every message between master, controllers, daemons and their children.

A message is a msgpack array: its tag, then its fields in order.  Where slices are many they travel as
columns: the i-th entry of each list belongs to the i-th slice.  Fields are only ever added at the end, with a
default; anything else is a new major VERSION.  Requests are bytes of JSON text, encoded once in the slicer
child and passed on unread.

Wishes travel whole (`Assignments`, `Wishes`, window): a message that is repeated or overtaken changes
nothing.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from sliceworks.protocol.log import Level

VERSION = 1
MAX_REQUEST_BYTES = 1_000_000
CONTROLLER_ENDS = "the controller ends"  # the reason in the close frame of a link that is over
MAX_ERROR_CHARS = 64_000
MAX_COLUMN = 200_000

Count: TypeAlias = Annotated[int, Meta(ge=0)]
Text: TypeAlias = Annotated[str, Meta(max_length=200)]
LongText: TypeAlias = Annotated[str, Meta(max_length=2 * MAX_ERROR_CHARS)]
Column: TypeAlias = Annotated[list[int], Meta(max_length=MAX_COLUMN)]
Requests: TypeAlias = Annotated[
    list[Annotated[bytes, Meta(max_length=MAX_REQUEST_BYTES)]], Meta(max_length=MAX_COLUMN)
]


class Ping(Struct, array_like=True, frozen=True, tag=0):
    """Nothing but a sign of life; sent when a connection was silent for a heartbeat."""


# --- daemon <-> master


class WorkerInfo(Struct, array_like=True, frozen=True):
    """One worker process of a node."""

    worker_id: int
    pid: int
    ex_id: Text
    state: Text  # starting, idle, busy, ending


class LinkInfo(Struct, array_like=True, frozen=True):
    """How one execution fares on a node."""

    ex_id: Text
    connected: bool
    start_failures: Count = 0  # workers in a row that did not start
    start_error: LongText = ""


class NodeHello(Struct, array_like=True, frozen=True, tag=10):
    """First message of a worker daemon to the master."""

    version: int
    node_id: Text
    incarnation: Text
    hostname: Text
    pid: int
    slots: Count
    python_version: Text
    sliceworks_version: Text


class NodeState(Struct, array_like=True, frozen=True, tag=11):
    """All that runs on the node now; sent on each change and after each `Assignments`."""

    workers: list[WorkerInfo]
    links: list[LinkInfo]
    revision: Count = 0  # of the newest Assignments that this state reflects
    draining: bool = False  # the daemon is shutting down: give it nothing more


class NodeWelcome(Struct, array_like=True, frozen=True, tag=12):
    """The master's answer to NodeHello."""

    version: int
    cluster: Text
    heartbeat_ms: Count


class Assignment(Struct, array_like=True, frozen=True):
    """What one node shall run of one execution."""

    ex_id: Text
    job_id: Text
    generation: Count
    host: Text
    port: Count
    secret: bytes
    workers: Count  # wanted on this node; 0: end them, after the slice in hand
    grace_ms: Count  # how long an ending worker may take before SIGKILL
    execution: bytes  # the execution document, JSON
    log_level: Text = ""  # of its workers; "": the node's own


class Assignments(Struct, array_like=True, frozen=True, tag=13):
    """All that a node shall run; what is not listed ends there, within the grace of its last assignment."""

    revision: Count
    items: list[Assignment]


class Refused(Struct, array_like=True, frozen=True, tag=14):
    """Why the connection is about to be closed by this side."""

    reason: LongText


# --- controller <-> master


class Statistics(Struct, array_like=True, frozen=True):
    """The counters of an execution; names as in the API."""

    workers_available: Count = 0
    workers_active: Count = 0
    workers_joined: Count = 0
    workers_reconnected: Count = 0
    workers_disconnected: Count = 0
    job_duration: Count = 0
    failed: Count = 0
    subslices: Count = 0
    queued: Count = 0
    slice_range_expansion: Count = 0
    processed: Count = 0
    slicers: Count = 0
    subslice_by_key: Count = 0
    started: Text = ""  # ISO time; empty until the controller runs
    queuing_complete: Text = ""  # ISO time; empty until slicing is over


class SliceCounts(Struct, array_like=True, frozen=True):
    """How many slices are in each state."""

    pending: Count = 0
    start: Count = 0
    completed: Count = 0
    error: Count = 0


class OperationTotals(Struct, array_like=True, frozen=True):
    """What one operation did, added up; `op` is its place in the job, from 0."""

    op: Count
    slices: Count
    time_us: Count
    records_in: Count
    records_out: Count
    memory_bytes: Count  # the highest resident size seen after a slice


class Histogram(Struct, array_like=True, frozen=True):
    """Values counted by size, since the process that counts them began."""

    counts: Column = []  # how many are at most as large as each bound; the bounds are known to both sides
    number: Count = 0
    total: Count = 0  # all of them added up


class SliceTimings(Struct, array_like=True, frozen=True):
    """How long slices took."""

    run_us: Histogram = Histogram()
    wait_ms: Histogram = Histogram()  # from being made to being given out for the first time


class ControllerHello(Struct, array_like=True, frozen=True, tag=20):
    """First message of a controller to the master; `proof` is `proof_of(secret, "controller", nonce)`."""

    version: int
    schema: int
    ex_id: Text
    generation: Count
    nonce: bytes
    proof: bytes
    pid: int
    port: Count


class ControllerReport(Struct, array_like=True, frozen=True, tag=21):
    """What the execution does now: its phase, never its status (that is the master's)."""

    phase: Text  # recovering, running, failing, paused, stopping
    reason: LongText  # why it waits, "" if it does not
    failure: LongText  # text for _failureReason, "" while nothing failed
    statistics: Statistics
    counts: SliceCounts
    operations: list[OperationTotals]
    timings: SliceTimings = SliceTimings()


class ControllerOutcome(Struct, array_like=True, frozen=True, tag=22):
    """How the execution ended; durable in its store before it is sent, sent until OutcomeApplied."""

    status: Text  # completed, failed, stopped, terminated
    failure: LongText
    report: ControllerReport


class Wishes(Struct, array_like=True, frozen=True, tag=23):
    """What is wanted of a controller; whole, so that repeating it changes nothing."""

    workers: Count
    paused: bool
    stopping: bool
    grace_ms: Count  # after `stopping`: how long slices in hand may take
    log_level: Text = ""


class OutcomeApplied(Struct, array_like=True, frozen=True, tag=24):
    """The outcome is in the master's store: the controller may end."""


class SaveAndEnd(Struct, array_like=True, frozen=True, tag=25):
    """The master is shutting down: write what is in flight and end; it resumes at the next start."""


# --- controller <-> daemon


class LinkHello(Struct, array_like=True, frozen=True, tag=30):
    """First message of a daemon to a controller.

    `held_*` lists every lease the daemon has, also those whose result it will send again after the welcome.
    """

    version: int
    ex_id: Text
    generation: Count
    nonce: bytes
    proof: bytes  # proof_of(secret, "daemon", nonce)
    node_id: Text
    incarnation: Text  # of the daemon; another one whenever it has forgotten how a lease ended
    hostname: Text
    held_seqs: Column
    held_epochs: Column
    number: Count = 0  # of this hello among those of the incarnation; one that arrives late changes nothing

    def __post_init__(self) -> None:
        _same_length(self.held_seqs, self.held_epochs)


class LinkWelcome(Struct, array_like=True, frozen=True, tag=31):
    """The controller's answer; `proof` is `proof_of(secret, "controller", nonce of the hello)`."""

    version: int
    generation: Count
    proof: bytes


class LinkState(Struct, array_like=True, frozen=True, tag=32):
    """The workers behind this link; sent on each change."""

    available: Count  # started and not ending
    active: Count  # of these, with a slice in hand
    joined: Count  # ever, by this incarnation
    disconnected: Count  # ever, by this incarnation
    window: Count  # slices the daemon wants to hold at most, unfinished ones in workers included
    start_failures: Count = 0
    start_error: LongText = ""


class RunSlices(Struct, array_like=True, frozen=True, tag=33):
    """Leases: run these slices.  Also what a daemon gives to a worker."""

    seqs: Column
    epochs: Column
    requests: Requests
    slice_ids: dict[int, str] = {}  # seq -> uuid, only where it is not the computed one
    retries: dict[int, int] = {}  # seq -> operation errors so far, where there are any

    def __post_init__(self) -> None:
        _same_length(self.seqs, self.epochs, self.requests)


class RecallSlices(Struct, array_like=True, frozen=True, tag=34):
    """Hand back up to `count` slices that no worker has begun; the answer is results of kind RETURNED."""

    count: Count


class ResultDetail(Struct, array_like=True, frozen=True):
    """What went wrong with one attempt."""

    error: LongText  # message and traceback, or what became of the worker
    op: Text = ""  # the operation it was in
    exit_code: int | None = None
    signal: int | None = None
    log_tail: LongText = ""


class SliceResults(Struct, array_like=True, frozen=True, tag=35):
    """How leases ended, in batches numbered per (execution, incarnation); kept until AckResults."""

    batch: Count
    seqs: Column
    epochs: Column
    kinds: bytes  # one ResultKind each
    workers: Column  # worker_id, 0 where no worker had it
    started_ms: Column  # wall clock of the node when the attempt began, 0 if it did not
    run_us: Column
    details: dict[int, ResultDetail]  # by index in the columns
    operations: list[OperationTotals]
    window: Count

    def __post_init__(self) -> None:
        _same_length(self.seqs, self.epochs, self.kinds, self.workers, self.started_ms, self.run_us)


class AckResults(Struct, array_like=True, frozen=True, tag=36):
    """Batches up to and including `batch` are durable."""

    batch: Count


# --- daemon <-> worker process (pipe)


class HostReady(Struct, array_like=True, frozen=True, tag=40):
    """The worker's operations are initialized."""


class HostFailed(Struct, array_like=True, frozen=True, tag=41):
    """The worker cannot start; it ends after this."""

    error: LongText


class HostResults(Struct, array_like=True, frozen=True, tag=42):
    """Results of one worker; columns as in SliceResults."""

    seqs: Column
    epochs: Column
    kinds: bytes
    started_ms: Column
    run_us: Column
    details: dict[int, ResultDetail]
    operations: list[OperationTotals]


class HostFinish(Struct, array_like=True, frozen=True, tag=43):
    """Finish the slice in hand, return the rest, shut the operations down, end."""


# --- controller <-> slicer child (pipe)


class SlicerReady(Struct, array_like=True, frozen=True, tag=50):
    """The slicers are initialized."""

    slicers: Count
    recoverable: bool
    relocatable: bool
    max_queue_length: Count
    hooks: list[Text] = []  # which of enqueued, dispatch, complete, statistics the slicer wants to hear of


class WantSlices(Struct, array_like=True, frozen=True, tag=51):
    """Slicer `slicer_id` may make `count` more slices (added to what it was allowed before)."""

    slicer_id: Count
    count: Count


class SlicesMade(Struct, array_like=True, frozen=True, tag=52):
    """The slices of one or more whole `slice()` calls of one slicer, in order."""

    slicer_id: Count
    requests: Requests
    checkpoint: bytes | None = None  # as of after the last call


class SlicingFinished(Struct, array_like=True, frozen=True, tag=53):
    """Slicer `slicer_id` has no more slices."""

    slicer_id: Count


class SlicerFailed(Struct, array_like=True, frozen=True, tag=54):
    """A slicer raised; the execution fails with this text."""

    error: LongText


class StopSlicing(Struct, array_like=True, frozen=True, tag=55):
    """Shut the slicers down and end."""


class SliceNews(Struct, array_like=True, frozen=True, tag=56):
    """What became of slices, for a slicer that wants to hear of it; after that is durable."""

    what: Text  # enqueued, dispatch, complete
    state: Count  # the SliceState in which they ended; 0 before that
    slice_ids: list[Text]
    slicer_ids: Column
    orders: Column
    requests: Requests

    def __post_init__(self) -> None:
        _same_length(self.slicer_ids, self.orders, self.requests, self.slice_ids)


class StatisticsNews(Struct, array_like=True, frozen=True, tag=57):
    """The counters of the execution, for a slicer that wants to hear of them."""

    statistics: Statistics


class LogFrom(Struct, array_like=True, frozen=True, tag=60):
    """Log from this level on; to slicer children and workers."""

    level: Level


NodeToMaster: TypeAlias = Ping | NodeHello | NodeState | Refused
MasterToNode: TypeAlias = Ping | NodeWelcome | Assignments | Refused
ControllerToMaster: TypeAlias = Ping | ControllerHello | ControllerReport | ControllerOutcome
MasterToController: TypeAlias = Ping | Wishes | OutcomeApplied | SaveAndEnd | Refused
DaemonToController: TypeAlias = Ping | LinkHello | LinkState | SliceResults
ControllerToDaemon: TypeAlias = Ping | LinkWelcome | RunSlices | RecallSlices | AckResults | Refused
DaemonToHost: TypeAlias = RunSlices | HostFinish | LogFrom
HostToDaemon: TypeAlias = HostReady | HostFailed | HostResults
ControllerToSlicer: TypeAlias = WantSlices | StopSlicing | SliceNews | StatisticsNews | LogFrom
SlicerToController: TypeAlias = SlicerReady | SlicesMade | SlicingFinished | SlicerFailed


def _same_length(first: list[int], *others: list[int] | list[bytes] | list[str] | bytes) -> None:
    expected = len(first)
    if any(len(column) != expected for column in others):
        message = "columns of different length"
        raise ValueError(message)
