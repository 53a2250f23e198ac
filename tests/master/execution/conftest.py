"""A rig that runs the real execution machine and store against daemons and slicers drawn from a seed.

Time is a number, the network is a list, and every process can die between any two steps: the controller (its
last commit done or not), a daemon, a connection.  What must always hold is checked at the end.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from sliceworks.master.execution import events as ev
from sliceworks.master.execution.machine import ExecutionMachine
from sliceworks.master.execution.model import Now, Rules
from sliceworks.master.execution.recovery import Inheritance
from sliceworks.master.store.execution import ExecutionStore, store_path
from sliceworks.master.store.lineage import Lineage, LineagePage
from sliceworks.protocol.ids import new_id
from sliceworks.protocol.messages import (
    AckResults,
    LinkHello,
    LinkState,
    RecallSlices,
    ResultDetail,
    RunSlices,
    SliceNews,
    SliceResults,
    SlicerReady,
    SlicesMade,
    SlicingFinished,
    StatisticsNews,
    StopSlicing,
    WantSlices,
    Wishes,
)
from sliceworks.protocol.states import ResultKind

EX_ID = "11111111-2222-4333-8444-555555555555"
LINEAGE_PAGE = 3
RUN = Wishes(workers=2, paused=False, stopping=False, grace_ms=1000)


def make_rules(**changes: object) -> Rules:
    values: dict[str, object] = {
        "persistent": False,
        "max_retries": 3,
        "max_worker_losses": 3,
        "at_most_once": False,
        "probation_window_ms": 300_000,
        "lease_timeout_ms": 30_000,
        "slicer_timeout_ms": 0,
        "worker_disconnect_timeout_ms": 0,
    }
    return Rules(**{**values, **changes})  # type: ignore[arg-type]  # names are checked by Rules


@dataclass
class Daemon:
    """What a worker daemon keeps, and how it behaves as the rules of the protocol say."""

    name: str
    incarnation: int = 1
    connection: int | None = None
    window: int = 4
    held: dict[int, int] = field(default_factory=dict)
    results: list[SliceResults] = field(default_factory=list)
    batches: int = 0

    def hello(self) -> LinkHello:
        unacknowledged = {s: e for r in self.results for s, e in zip(r.seqs, r.epochs, strict=True)}
        listed = {**self.held, **unacknowledged}
        return LinkHello(
            1,
            EX_ID,
            1,
            b"",
            b"",
            self.name,
            f"{self.name}-{self.incarnation}",
            self.name,
            list(listed),
            list(listed.values()),
        )

    def result(self, ends: dict[int, ResultKind]) -> SliceResults:
        self.batches += 1
        count = len(ends)
        seqs = list(ends)
        batch = SliceResults(
            self.batches,
            seqs,
            [self.held.pop(seq) for seq in seqs],
            bytes(ends.values()),
            [7] * count,
            [1] * count,
            [5] * count,
            {i: ResultDetail("it broke", "noop") for i, kind in enumerate(ends.values()) if kind},
            [],
            self.window,
        )
        self.results.append(batch)
        return batch

    def restart(self) -> None:
        self.incarnation += 1
        self.connection = None
        self.held.clear()
        self.results.clear()
        self.batches = 0


class Rig:
    """One execution: its store, its controller (if alive), its slicer, its daemons."""

    def __init__(
        self,
        folder: Path,
        *,
        slices: int,
        rules: Rules,
        daemons: int,
        seed: int = 0,
        ex_id: str = EX_ID,
        lineage: tuple[str, ...] = (),
        inheritance: Inheritance | None = None,
        slicers: int = 1,
        hooks: tuple[str, ...] = (),
    ) -> None:
        self.hooks = list(hooks)
        self.news: list[SliceNews | StatisticsNews] = []
        self.random = random.Random(seed)
        self.ex_id = ex_id
        self.path = store_path(folder, ex_id)
        self.lineage = Lineage(lineage, partial(store_path, folder))
        self.inheritance = inheritance
        self.slicers = slicers
        self.slices = slices
        self.rules = rules
        self.daemons = [Daemon(f"node-{n}") for n in range(daemons)]
        self.wishes = RUN
        self.now_ms = 1_000_000
        self.generation = 0
        self.connections = 0
        self.finished: tuple[str, str] | None = None
        self.stale_sent = 0
        self.begun: list[tuple[int, int]] = []
        self.machine: ExecutionMachine
        self.store: ExecutionStore
        self.open()

    @property
    def now(self) -> Now:
        return Now(self.now_ms, self.now_ms + 1_700_000_000_000)

    def open(self) -> None:
        """A new generation of the controller."""
        self.generation += 1
        self.store = ExecutionStore.open(
            self.path, ex_id=self.ex_id, generation=self.generation, durability="process"
        )
        self.writes: list[ev.Write | ev.LoadPending] = []
        self.loads: list[ev.LoadLineage] = []
        self.pages: Iterator[LineagePage] | None = None
        self.credit = 0
        self.made = self.slices
        self.slicing = False
        for daemon in self.daemons:
            daemon.connection = None
        self.machine = ExecutionMachine(
            self.ex_id,
            slicers=self.slicers,
            rules=self.rules,
            snapshot=self.store.load(),
            wishes=self.wishes,
            now=self.now,
            inheritance=self.inheritance,
        )
        self._carry_out(self.machine.start(self.now) + self.machine.flush(self.now))

    def crash(self, *, committed: bool) -> None:
        """The controller dies; the batch it was writing is on disk, or is not."""
        writing = [job for job in self.writes if isinstance(job, ev.Write)]
        if committed and writing:
            self.store.apply(writing[0].batch)
        self.store.close()
        self.open()

    def feed(self, event: ev.Event) -> None:
        """One event for the machine, and what follows from it."""
        self._carry_out(self.machine.handle(event, self.now) + self.machine.flush(self.now))

    def connect(self, daemon: Daemon) -> None:
        self.connections += 1
        daemon.connection = self.connections
        self.feed(ev.LinkOpened(self.connections, daemon.hello()))
        for batch in daemon.results:
            self.feed(ev.ResultsArrived(self.connections, batch))
        self.feed(ev.LinkReported(self.connections, LinkState(2, 1, 2, 0, daemon.window)))

    def disconnect(self, daemon: Daemon) -> None:
        if daemon.connection is not None:
            connection, daemon.connection = daemon.connection, None
            self.feed(ev.LinkClosed(connection))

    def end(self, daemon: Daemon, ends: dict[int, ResultKind]) -> None:
        """A daemon ends leases that it holds, and tells it if it is connected."""
        batch = daemon.result(ends)
        if daemon.connection is not None:
            self.feed(ev.ResultsArrived(daemon.connection, batch))

    def end_some(self, kinds: Sequence[ResultKind]) -> None:
        """A daemon, if it holds leases, ends some of them in these ways."""
        daemon = self.random.choice(self.daemons)
        if daemon.held:
            seqs = self.random.sample(list(daemon.held), self.random.randint(1, len(daemon.held)))
            self.end(daemon, {seq: self.random.choice(kinds) for seq in seqs})

    def wish(self, *, paused: bool = False, stopping: bool = False) -> None:
        """The master wants this from now on."""
        self.wishes = replace(RUN, paused=paused, stopping=stopping)
        self.feed(self.wishes)

    def write(self) -> None:
        """The store does the next thing it was told."""
        job = self.writes.pop(0)
        if isinstance(job, ev.Write):
            self.store.apply(job.batch)
            self.feed(ev.Written(job.batch.number))
        else:
            rows = self.store.load_pending(job.after_seq, job.limit)
            self.feed(ev.PendingLoaded(rows, complete=len(rows) < job.limit))

    def load(self) -> None:
        """The next page of the lineage comes."""
        order = self.loads.pop(0)
        assert self.inheritance is not None
        if self.pages is None:
            self.pages = self.lineage.pages(self.inheritance.kinds, after=order.after, limit=LINEAGE_PAGE)
        page = next(self.pages)
        slicers = self.lineage.positions() if page.complete else []
        self.feed(ev.LineageLoaded(page.slices, page.complete, slicers))

    def make(self, count: int) -> None:
        """The slicer makes up to `count` slices of its credit, or says that it is done."""
        if not self.slicing:
            return
        count = min(count, self.credit, self.slices - self.made)
        if count > 0:
            requests = [b"%d" % (self.made + n + 1) for n in range(count)]
            self.made += count
            self.credit -= count
            self.feed(SlicesMade(0, requests))
        elif self.made == self.slices:
            self.slicing = False
            self.feed(SlicingFinished(0))

    def pass_time(self, milliseconds: int) -> None:
        self.now_ms += milliseconds
        due = self.machine.next_due_ms(self.now)
        if due is not None and due <= self.now_ms:
            self.feed(ev.TimePassed())

    def settle(self) -> None:
        """No more faults: everybody connects and does what is asked, until the execution ends."""
        for _ in range(10_000):
            if self.finished:
                return
            self._settle_once()
        pytest.fail("the execution does not end")

    def _settle_once(self) -> None:
        while self.writes:
            self.write()
        while self.loads:
            self.load()
        self.make(50)
        for daemon in self.daemons:
            if daemon.connection is None:
                self.connect(daemon)
            if daemon.held:
                self.end(daemon, dict.fromkeys(list(daemon.held), ResultKind.COMPLETED))
        self.pass_time(200)

    def _carry_out(self, effects: list[ev.Effect]) -> None:
        for effect in effects:
            match effect:
                case ev.Write() | ev.LoadPending():
                    self.writes.append(effect)
                case ev.Send(connection, message):
                    self._deliver(connection, message)
                case ev.LoadLineage():
                    self.loads.append(effect)
                case ev.StartSlicer(recovery):
                    self.made = int(recovery[0]["last_slice"]) if recovery else 0
                    self.credit = 0
                    self.slicing = True
                    self._carry_out(
                        self.machine.handle(SlicerReady(1, True, False, 10_000, self.hooks), self.now)
                    )
                case ev.ToSlicer(WantSlices(_, count)):
                    self.credit += count
                case ev.ToSlicer(SliceNews() | StatisticsNews() as news):
                    assert not self.finished, "the slicer was told to stop before"
                    self.news.append(news)
                case ev.ToSlicer(StopSlicing()):
                    self.slicing = False
                case ev.Finish(status, failure):
                    self.finished = (status, failure)
                case _:
                    pass

    def _deliver(self, connection: int, message: object) -> None:
        daemon = next((d for d in self.daemons if d.connection == connection), None)
        if daemon is None:
            return
        match message:
            case RunSlices(seqs, epochs):
                daemon.held.update(zip(seqs, epochs, strict=True))
                self.begun += zip(seqs, epochs, strict=True)
            case AckResults(batch):
                daemon.results = [r for r in daemon.results if r.batch > batch]
            case RecallSlices(count) if daemon.held and count:
                self.end(daemon, dict.fromkeys(list(daemon.held)[-count:], ResultKind.RETURNED))


RigMaker = Callable[..., Rig]


def _rig(
    folder: Path,
    *,
    slices: int = 10,
    daemons: int = 2,
    seed: int = 0,
    hooks: tuple[str, ...] = (),
    **rules: object,
) -> Rig:
    return Rig(folder, slices=slices, rules=make_rules(**rules), daemons=daemons, seed=seed, hooks=hooks)


def _recovering(folder: Path, lineage: list[str], inheritance: Inheritance | None, **options: Any) -> Rig:
    ex_id = new_id()
    return Rig(
        folder,
        rules=make_rules(),
        ex_id=ex_id,
        lineage=tuple(lineage),
        inheritance=inheritance,
        **{"slices": 10, "daemons": 2, **options},
    )


@pytest.fixture(scope="session")
def rig_in() -> RigMaker:
    """`rig_in(folder, slices=10, daemons=2, seed=0, **rules)`."""
    return _rig


@pytest.fixture(scope="session")
def recovering_in() -> RigMaker:
    """`recovering_in(folder, lineage, inheritance, slices=10, daemons=2, seed=0)`: of a new execution."""
    return _recovering


@pytest.fixture
def make_rig(tmp_path: Path) -> RigMaker:
    """The same, in this test's own folder."""
    return partial(_rig, tmp_path)
