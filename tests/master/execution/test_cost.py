"""What a slice costs in the execution machine and its journal, counted in function calls: an exact figure.

A time would say more and prove nothing: it drifts with the machine.  The history is fixed, so the number of
calls is, too; when it falls, lower RECORDED here.
"""

from __future__ import annotations

from sliceworks.master.execution import events as ev
from sliceworks.master.execution.machine import ExecutionMachine
from sliceworks.master.execution.model import Now, Rules
from sliceworks.master.store.batch import Head, Snapshot
from sliceworks.protocol.messages import (
    LinkHello,
    LinkState,
    RunSlices,
    SliceResults,
    SlicerReady,
    SlicesMade,
    WantSlices,
    Wishes,
)
from tests.calls import counted

SLICES, FRAME, WINDOW = 20_000, 200, 2_000
RECORDED = 19.86  # calls of Python functions and of built-in ones, per slice
TOLERANCE = 1.1
NOW = Now(1_000, 1_700_000_000_000)
RULES = Rules(
    persistent=False,
    max_retries=3,
    max_worker_losses=3,
    at_most_once=False,
    probation_window_ms=300_000,
    lease_timeout_ms=30_000,
    slicer_timeout_ms=0,
    worker_disconnect_timeout_ms=0,
)


class History:
    """A slicer, a store and one daemon that all do at once what they are told; frames of FRAME slices."""

    def __init__(self) -> None:
        snapshot = Snapshot(0, Head(), 0, [], [], [], [])
        wishes = Wishes(workers=2, paused=False, stopping=False, grace_ms=0)
        self.machine = ExecutionMachine(
            "ex", slicers=1, rules=RULES, snapshot=snapshot, wishes=wishes, now=NOW
        )
        self.events: list[ev.Event] = []
        self.made = self.done = self.batches = 0
        self._take(self.machine.start(NOW))
        hello = LinkHello(1, "ex", 1, b"", b"", "node", "node-1", "host", [], [])
        self.events += [SlicerReady(1, True, False, 10_000), ev.LinkOpened(1, hello)]
        self.events.append(ev.LinkReported(1, LinkState(2, 0, 2, 0, WINDOW)))

    def run(self, slices: int) -> None:
        """Until so many are done."""
        while self.done < slices and self.events:
            event = self.events.pop(0)
            self._take(self.machine.handle(event, NOW) + self.machine.flush(NOW))

    def _take(self, effects: list[ev.Effect]) -> None:
        for effect in effects:
            match effect:
                case ev.Write(batch):
                    self.events.append(ev.Written(batch.number))
                case ev.ToSlicer(WantSlices(_, count)):
                    self._make(count)
                case ev.Send(_, RunSlices() as granted):
                    self._finish(granted)
                case _:
                    pass

    def _make(self, count: int) -> None:
        for first in range(0, count, FRAME):
            self.events.append(SlicesMade(0, [b'{"start":1,"count":1}'] * min(FRAME, count - first)))

    def _finish(self, granted: RunSlices) -> None:
        for first in range(0, len(granted.seqs), FRAME):
            seqs, epochs = granted.seqs[first : first + FRAME], granted.epochs[first : first + FRAME]
            size = len(seqs)
            self.batches += 1
            columns = ([7] * size, [1] * size, [5] * size)
            results = SliceResults(self.batches, seqs, epochs, bytes(size), *columns, {}, [], WINDOW)
            self.events.append(ev.ResultsArrived(1, results))
            self.done += size


def test_a_slice_costs_no_more_calls_than_recorded() -> None:
    history = History()
    with counted() as calls:
        history.run(SLICES)
    assert history.done >= SLICES
    own = calls.number / history.done
    assert own <= RECORDED * TOLERANCE, f"{own:.2f} calls a slice, recorded are {RECORDED}"


def test_the_count_is_exact() -> None:
    # The first run also fills caches.
    numbers = []
    for _ in range(3):
        history = History()
        with counted() as calls:
            history.run(2_000)
        numbers.append(calls.number)
    assert numbers[1] == numbers[2], numbers
