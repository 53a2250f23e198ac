"""Write before send: gathers what the machine decides into batches, and holds back what depends on them.

Nothing that tells another process of a decision leaves before the batch that records it is durable: leases go
out, results are acknowledged, and the end is reported only out of `written`.  One batch is being written at a
time; what is decided meanwhile gathers in the next, so that under load one transaction carries hundreds of
slices (group commit).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Final

from sliceworks.master.execution.events import Effect, Send
from sliceworks.master.execution.model import Link, Now, Slice
from sliceworks.master.store.batch import Batch, Group, Head, Row
from sliceworks.protocol.messages import AckResults, ResultDetail, RunSlices
from sliceworks.protocol.states import ErrorReason, ResultKind, SliceState

MAX_GRANT_BYTES: Final = 4 * 1024 * 1024
HEAD_FIELDS: Final = tuple(column.name for column in fields(Head))


@dataclass(slots=True)
class Grant:
    """Leases for one daemon, as columns, waiting to become durable."""

    link: Link
    connection: int
    size: int = 0
    seqs: list[int] = field(default_factory=list)
    epochs: list[int] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    slice_ids: dict[int, str] = field(default_factory=dict)
    retries: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class Dependents:
    """What may be sent once a batch is durable."""

    grants: list[Grant] = field(default_factory=list)
    open_grants: dict[int, Grant] = field(
        default_factory=dict
    )  # connection -> the grant that still takes leases
    acks: dict[int, int] = field(default_factory=dict)  # connection -> result batch
    effects: list[Effect] = field(default_factory=list)

    def release(self) -> list[Effect]:
        """The sends; leases of a connection that was replaced, or is gone, are not sent."""
        out: list[Effect] = [
            Send(g.connection, RunSlices(g.seqs, g.epochs, g.requests, g.slice_ids, g.retries))
            for g in self.grants
            if g.link.connection == g.connection
        ]
        out += [Send(connection, AckResults(batch)) for connection, batch in self.acks.items()]
        return out + self.effects


@dataclass(frozen=True, slots=True)
class Ended:
    """How one attempt ended, as the daemon told it (or the controller concluded)."""

    kind: ResultKind
    worker: int = 0
    started_ms: int = 0
    run_us: int = 0
    detail: ResultDetail | None = None


class Journal:
    """The open batch, the one being written, and the counters that go with them."""

    def __init__(self, head: Head, batch: int) -> None:
        self.head = head
        self._number = batch
        self._group_number = 0
        self._writing: Dependents | None = None
        self._changed = False
        self._dependents = Dependents()
        self._unsent: list[Grant] = []
        self._open_batch()

    @property
    def writing(self) -> bool:
        """A batch is on its way to the disk."""
        return self._writing is not None

    def insert(self, item: Slice) -> None:
        """Record a new slice; its row is made when the batch is taken, leased by then or not."""
        item.inserted_in = self._group_number
        self._inserts[-1].append(item)
        self.head.pending += 1
        self._changed = True

    def copy(self, item: Slice) -> None:
        """Record a slice that is taken up from the lineage, as `insert` does, with its id."""
        item.inserted_in = self._group_number
        self._copies[-1].append(item)
        self.head.pending += 1
        self._changed = True

    def lease(self, link: Link, items: list[Slice], now: Now) -> None:
        """Record leases under their next epoch, and send them once that is durable."""
        group, number, wall = self._groups[-1], self._group_number, now.wall_ms
        grant = self._grant(link)
        for item in items:
            item.epoch = epoch = item.epoch + 1
            item.link = link
            item.leased_in = number
            if epoch > 1:
                group.later_leases.append((epoch, wall, item.seq))
                group.new_attempts.append((item.seq, epoch, link.node, wall))
            elif item.inserted_in != number:
                group.first_leases.append((link.node, wall, wall, item.seq))
            if grant.size > MAX_GRANT_BYTES:
                grant = self._new_grant(link)
            _add_to_grant(grant, item)
        link.outstanding += len(items)
        self.head.pending -= len(items)
        self.head.start += len(items)
        self._changed = True

    def complete(self, item: Slice, ended: Ended, now: Now) -> None:
        """Record a success that is not of the first attempt (that one is `complete_first`)."""
        self.head.start -= 1
        self.head.completed += 1
        self._end_slice(item, SliceState.COMPLETED, now=now)
        self._end_attempt(item, ended, now)

    def complete_first(self, rows: list[Row]) -> None:
        """Record successes of first attempts: (worker, started_ms, run_us, updated_ms, seq) each."""
        self._groups[-1].completions += rows
        self.head.start -= len(rows)
        self.head.completed += len(rows)
        self._changed = True

    def requeue(self, item: Slice, ended: Ended, now: Now) -> None:
        """Record that an attempt ended and the slice is pending again."""
        self.head.start -= 1
        self.head.pending += 1
        self._avoid_group_of(item)
        self._end_slice(item, SliceState.PENDING, now=now)
        self._end_attempt(item, ended, now)

    def fail(self, item: Slice, ended: Ended, reason: ErrorReason, *, now: Now) -> None:
        """Record that the slice ended in `error`."""
        self.head.start -= 1
        self.head.error += 1
        self._avoid_group_of(item)
        self._end_slice(item, SliceState.ERROR, now=now, reason=reason)
        self._end_attempt(item, ended, now)

    def put_slicer(self, row: Row) -> None:
        """Record where a slicer stands, in the same batch as its slices."""
        self._slicers[row[0]] = row
        self._changed = True

    def put_node(self, row: Row) -> None:
        """Record a daemon before anything is leased to it."""
        self._nodes.append(row)
        self._changed = True

    def put_operations(self, rows: Iterable[Row]) -> None:
        """Record what the operations did so far."""
        for row in rows:
            self._operations[row[0]] = row
        self._changed = True

    def touch(self) -> None:
        """Write the head even if no row changed."""
        self._changed = True

    def acknowledge(self, connection: int, result_batch: int) -> None:
        """Acknowledge once all that is gathered so far is durable."""
        self._dependents.acks[connection] = result_batch

    def then(self, effect: Effect) -> None:
        """Let an effect out once all that is gathered so far is durable."""
        self._dependents.effects.append(effect)

    def take(self) -> tuple[Batch | None, list[Effect]]:
        """The next batch, if none is being written; or, with nothing to write, what may go out at once."""
        if self._writing is not None:
            return None, []
        if not self._changed:
            dependents, self._dependents = self._dependents, Dependents()
            return None, dependents.release()
        self._number += 1
        for group, items, copies in zip(self._groups, self._inserts, self._copies, strict=True):
            group.inserts = [_insert_row(item) for item in items]
            group.copies = [(*_insert_row(item), item.slice_id) for item in copies]
        batch = Batch(
            number=self._number,
            head={name: getattr(self.head, name) for name in HEAD_FIELDS},
            groups=self._groups,
            slicers=list(self._slicers.values()),
            nodes=self._nodes,
            operations=list(self._operations.values()),
        )
        self._writing = self._dependents
        self._open_batch()
        return batch, []

    def written(self, number: int) -> list[Effect]:
        """The batch is durable: what depended on it."""
        if self._writing is None or number != self._number:
            return []
        dependents, self._writing = self._writing, None
        self._unsent += [grant for grant in dependents.grants if grant.link.connection is None]
        return dependents.release()

    def unsent(self) -> list[Grant]:
        """Leases that were never sent, because their daemon was gone when they were durable."""
        grants, self._unsent = self._unsent, []
        return grants

    def _open_batch(self) -> None:
        self._groups: list[Group] = []
        self._inserts: list[list[Slice]] = []
        self._copies: list[list[Slice]] = []
        self._slicers: dict[int, Row] = {}
        self._nodes: list[Row] = []
        self._operations: dict[int, Row] = {}
        self._dependents = Dependents()
        self._changed = False
        self._open_group()

    def _open_group(self) -> None:
        self._group_number += 1
        self._groups.append(Group())
        self._inserts.append([])
        self._copies.append([])

    def _avoid_group_of(self, item: Slice) -> None:
        if item.leased_in == self._group_number:
            self._open_group()

    def _grant(self, link: Link) -> Grant:
        connection = -1 if link.connection is None else link.connection
        return self._dependents.open_grants.get(connection) or self._new_grant(link)

    def _new_grant(self, link: Link) -> Grant:
        grant = Grant(link, -1 if link.connection is None else link.connection)
        self._dependents.grants.append(grant)
        self._dependents.open_grants[grant.connection] = grant
        return grant

    def _end_slice(
        self, item: Slice, state: SliceState, *, now: Now, reason: ErrorReason | None = None
    ) -> None:
        row = (state, now.wall_ms, item.op_errors, item.losses, reason, item.seq)
        self._groups[-1].ends.append(row)
        self._changed = True

    def _end_attempt(self, item: Slice, ended: Ended, now: Now) -> None:
        detail = ended.detail
        told = (
            (detail.error, detail.op, detail.exit_code, detail.signal, detail.log_tail)
            if detail
            else (None,) * 5
        )
        row = (
            ended.worker or None,
            ended.started_ms or None,
            ended.run_us,
            now.wall_ms,
            ended.kind,
            *told,
            item.seq,
        )
        if item.epoch == 1:
            self._groups[-1].first_attempts.append(row)
        else:
            self._groups[-1].later_attempts.append((*row, item.epoch))


def _add_to_grant(grant: Grant, item: Slice) -> None:
    grant.seqs.append(item.seq)
    grant.epochs.append(item.epoch)
    grant.requests.append(item.request)
    grant.size += len(item.request)
    if item.slice_id is not None:
        grant.slice_ids[item.seq] = item.slice_id
    if item.op_errors:
        grant.retries[item.seq] = item.op_errors


def _insert_row(item: Slice) -> Row:
    link = item.link
    head = (item.seq, item.slicer_id, item.order, item.request)
    if link is None or item.epoch != 1 or item.leased_in != item.inserted_in:
        return (*head, SliceState.PENDING, item.epoch, item.created_ms, item.created_ms, None, None)
    return (*head, SliceState.START, 1, item.created_ms, item.created_ms, link.node, item.created_ms)
