"""Leases: who works on which slice under which epoch, and what becomes of a lease when it ends.

Only the current epoch, told by the daemon that holds it, changes a slice.  Anything else is stale: counted,
acknowledged, and without effect.  A lease ends by a result, by a hello of its daemon that does not list it,
by a newer incarnation of its daemon, or by the silence of its daemon for `lease_timeout`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sliceworks.master.execution.journal import Ended, Grant, Journal
from sliceworks.master.execution.model import Link, Now, Rules, Slice
from sliceworks.master.execution.queue import SliceQueue
from sliceworks.master.execution.retry import End, Requeue, Vanished, judge
from sliceworks.master.store.batch import Row
from sliceworks.protocol.messages import ResultDetail, SliceResults
from sliceworks.protocol.states import ResultKind

_COMPLETED: Final = int(ResultKind.COMPLETED)


class LeaseTable:
    """All slices in state `start`, by seq."""

    def __init__(
        self, *, queue: SliceQueue, journal: Journal, rules: Rules, on_error: Callable[[Now], None]
    ) -> None:
        self.held: dict[int, Slice] = {}
        self._queue = queue
        self._journal = journal
        self._rules = rules
        self._on_error = on_error

    def settle(self, link: Link, results: SliceResults, now: Now) -> int:
        """Apply a batch of results; how many of them were current.  The hot path: one pass."""
        held, rows = self.held, []
        accepted = 0
        columns = zip(
            results.seqs,
            results.epochs,
            results.kinds,
            results.workers,
            results.started_ms,
            results.run_us,
            strict=True,
        )
        for index, (seq, epoch, kind, worker, started_ms, run_us) in enumerate(columns):
            item = held.get(seq)
            if item is None or item.epoch != epoch or item.link is not link:
                continue
            accepted += 1
            del held[seq]
            if kind == _COMPLETED and epoch == 1:
                rows.append((worker, started_ms, run_us, now.wall_ms, seq))
                continue
            ended = Ended(_kind(kind), worker, started_ms, run_us, results.details.get(index))
            self._end(item, ended, now)
        self._record(link, rows, accepted=accepted, told=len(results.seqs))
        return accepted

    def adopt(self, item: Slice, link: Link) -> None:
        """Take up a lease that an earlier generation gave."""
        item.link = link
        link.outstanding += 1
        self.held[item.seq] = item

    def keep_only(self, link: Link, seqs: list[int], epochs: list[int], *, now: Now) -> None:
        """A daemon's hello: what the same incarnation does not list never reached it."""
        listed = set(zip(seqs, epochs, strict=True))  # a slice may be there twice: held, and an older result
        missing = [item for item in self._of(link) if (item.seq, item.epoch) not in listed]
        for item in missing:
            self._take_back(item, Ended(ResultKind.RETURNED), ResultKind.RETURNED, now=now)

    def take_back(self, grant: Grant, now: Now) -> None:
        """These never left: who comes back has not got them, and who does not shall not be waited for."""
        for seq, epoch in zip(grant.seqs, grant.epochs, strict=True):
            item = self.held.get(seq)
            if item is not None and item.epoch == epoch and item.link is grant.link:
                self._take_back(item, Ended(ResultKind.RETURNED), ResultKind.RETURNED, now=now)

    def revoke(self, link: Link, why: str, now: Now) -> None:
        """The daemon is gone (a newer incarnation, or silence): its slices are pending again, uncounted."""
        ended = Ended(ResultKind.RETURNED, detail=ResultDetail(error=why))
        for item in self._of(link):
            self._take_back(item, ended, Vanished.NODE, now=now)

    def _of(self, link: Link) -> list[Slice]:
        return [item for item in self.held.values() if item.link is link]

    def _record(self, link: Link, rows: list[Row], *, accepted: int, told: int) -> None:
        if rows:
            self._journal.complete_first(rows)
        link.outstanding -= accepted
        if told > accepted:
            self._journal.head.stale += told - accepted
            self._journal.touch()

    def _take_back(self, item: Slice, ended: Ended, how: ResultKind | Vanished, *, now: Now) -> None:
        del self.held[item.seq]
        if item.link is not None:
            item.link.outstanding -= 1
        self._judge(item, ended, how, now=now)

    def _end(self, item: Slice, ended: Ended, now: Now) -> None:
        if ended.kind is ResultKind.COMPLETED:
            self._journal.complete(item, ended, now)
            return
        begun_and_returned = ended.kind is ResultKind.RETURNED and ended.started_ms
        self._judge(item, ended, Vanished.BEGUN if begun_and_returned else ended.kind, now=now)

    def _judge(self, item: Slice, ended: Ended, how: ResultKind | Vanished, *, now: Now) -> None:
        match judge(item, how, self._rules):
            case Requeue(delay_ms):
                self._journal.requeue(item, ended, now)
                item.link = None
                self._queue.put_back(item, now.monotonic_ms + delay_ms if delay_ms else None)
            case End(reason):
                self._journal.fail(item, ended, reason, now=now)
                self._on_error(now)


def _kind(value: int) -> ResultKind:
    return ResultKind(value) if value <= ResultKind.TIMED_OUT else ResultKind.ERROR
