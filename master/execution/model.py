"""What the execution machine keeps in memory: slices that are not done, and the daemons that work on them.

A slice is in exactly one place: the queue, the retry wait, or the lease table.  Done slices are nowhere: they
live in the store, so that memory does not grow with their number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from sliceworks.protocol.messages import LinkState


class Now(NamedTuple):
    """Both clocks at the moment of an event, in milliseconds."""

    monotonic_ms: int
    wall_ms: int


@dataclass(slots=True, eq=False)
class Slice:
    """One unit of work that is not done."""

    seq: int
    slicer_id: int
    order: int
    request: bytes
    created_ms: int = 0  # wall clock; only needed until it is inserted
    epoch: int = 0  # of the newest lease; 0: never leased
    op_errors: int = 0
    losses: int = 0
    slice_id: str | None = None  # only where it is not the computed one
    link: Link | None = None  # who holds the lease
    inserted_in: int = 0  # the group that inserts it, while that group is not yet written
    leased_in: int = 0  # the group that records its newest lease


NO_WORKERS: Final = LinkState(available=0, active=0, joined=0, disconnected=0, window=0)


@dataclass(slots=True, eq=False)
class Link:
    """One incarnation of a worker daemon, connected or silent."""

    node: int  # its key in the store
    node_id: str
    incarnation: str
    hostname: str
    connection: int | None = None  # None: silent
    hello: int = 0  # the number of its newest hello
    silent_since_ms: int = 0
    window: int = 0
    outstanding: int = 0  # leases it holds
    recalling: bool = False
    state: LinkState = NO_WORKERS

    @property
    def room(self) -> int:
        """How many more slices it takes."""
        return self.window - self.outstanding if self.connection is not None else 0


@dataclass(frozen=True, slots=True)
class Rules:
    """What a job says about trying again, and when waiting ends; times in milliseconds, 0: never."""

    persistent: bool
    max_retries: int
    max_worker_losses: int
    at_most_once: bool
    probation_window_ms: int
    lease_timeout_ms: int
    slicer_timeout_ms: int
    worker_disconnect_timeout_ms: int
    execution_timeout_ms: int = 0  # counted from the execution's durable start
