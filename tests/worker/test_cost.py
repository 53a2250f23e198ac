"""What a slice costs in the worker daemon's machine, counted in function calls: an exact figure.

The history is fixed, so the number of calls is, too; when it falls, lower RECORDED here.
"""

from __future__ import annotations

from itertools import count

from sliceworks.protocol.ids import WorkerId
from sliceworks.protocol.messages import HostResults, RunSlices
from sliceworks.worker.events import (
    Assigned,
    Event,
    GiveSlices,
    Peer,
    PeerFound,
    ResultsAcked,
    SendResults,
    SlicesGranted,
    SpawnWorker,
    TurnEnded,
    WorkerReady,
    WorkerResults,
)
from sliceworks.worker.machine import PoolMachine, PoolRules
from tests.calls import counted

SLICES, WORKERS, RUN_US = 20_000, 2, 20
RECORDED = 4.44  # calls of Python functions and of built-in ones, per slice
TOLERANCE = 1.1


class History:
    """A controller that fills the window at once, and workers that do at once what they are given."""

    def __init__(self) -> None:
        ids = count(1)
        rules = PoolRules("ex", True, 60_000, 1, lambda: WorkerId(next(ids)))
        self.machine = PoolMachine(rules, 0)
        self.seq = self.done = self.held = 0
        self.window = WORKERS
        self.given: list[GiveSlices] = []
        self.acked = 0
        self._turn(Assigned(WORKERS, 1_000, 1))
        self._turn(PeerFound(Peer.CONTROLLER))

    def run(self, slices: int) -> None:
        """Until so many are done."""
        while self.done < slices:
            events: list[Event] = [self._finished(give) for give in self.given]
            self.given = []
            if self.held < self.window:
                events.append(self._granted(self.window - self.held))
            self._turn(*events, ResultsAcked(self.acked))

    def _turn(self, *events: Event) -> None:
        for event in (*events, TurnEnded()):
            for effect in self.machine.handle(event, 0):
                match effect:
                    case SpawnWorker(worker_id):
                        self._turn(WorkerReady(worker_id))
                    case GiveSlices():
                        self.given.append(effect)
                    case SendResults(results):
                        self.done += len(results.seqs)
                        self.held -= len(results.seqs)
                        self.acked, self.window = results.batch, results.window
                    case _:
                        pass

    def _granted(self, number: int) -> SlicesGranted:
        seqs = list(range(self.seq + 1, self.seq + 1 + number))
        self.seq += number
        self.held += number
        return SlicesGranted(RunSlices(seqs, [1] * number, [b'{"start":1,"count":1}'] * number))

    def _finished(self, give: GiveSlices) -> WorkerResults:
        seqs, size = give.slices.seqs, len(give.slices.seqs)
        frame = HostResults(seqs, give.slices.epochs, bytes(size), [5] * size, [RUN_US] * size, {}, [])
        return WorkerResults(give.worker_id, frame)


def test_a_slice_costs_no_more_calls_than_recorded() -> None:
    history = History()
    history.run(1_000)  # the pace is found
    before = history.done
    with counted() as calls:
        history.run(SLICES)
    own = calls.number / (history.done - before)
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
