"""Recovering: slices of a lineage come back, are done once, and slicers go on, whatever dies on the way."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sliceworks.master.execution import events as ev
from sliceworks.master.execution.recovery import Inheritance, inheritance_of
from sliceworks.master.store.lineage import Kinds
from sliceworks.master.store.verify import verify_execution
from sliceworks.protocol.documents import ExecutionSpec
from sliceworks.protocol.ids import ExId, Seq, slice_id_of
from sliceworks.protocol.states import ResultKind, SliceState

WAYS = (
    Inheritance(Kinds.ALL),
    Inheritance(Kinds.ALL, ends_after=True),
    Inheritance(Kinds.ERRORS, ends_after=True),
    Inheritance(Kinds.UNFINISHED, ends_after=True),
    Inheritance(Kinds.UNFINISHED),  # autorecover
)
ENDS = (ResultKind.COMPLETED,) * 4 + (
    ResultKind.ERROR,
    ResultKind.LOST,
    ResultKind.RETURNED,
    ResultKind.FATAL,
)


class Record(NamedTuple):
    """A slice in one store."""

    slice_id: str
    order: int
    request: int
    state: SliceState
    is_copy: bool


def records_of(rig: Any) -> list[Record]:
    with closing(sqlite3.connect(rig.path)) as connection:
        rows = connection.execute(
            "SELECT seq, slice_id, slicer_order, request, state FROM slices ORDER BY seq"
        )
        return [
            Record(
                slice_id or slice_id_of(ExId(rig.ex_id), Seq(seq)),
                order,
                int(request),
                SliceState(state),
                is_copy=slice_id is not None,
            )
            for seq, slice_id, order, request, state in rows
        ]


def toggle_one(rig: Any) -> None:
    daemon = rig.random.choice(rig.daemons)
    if daemon.connection is None:
        rig.connect(daemon)
    elif rig.random.random() < 0.2:
        rig.disconnect(daemon)
        if rig.random.random() < 0.5:
            daemon.restart()


STEPS: dict[str, tuple[int, Callable[[Any], None]]] = {
    "write": (25, lambda rig: rig.write() if rig.writes else None),
    "load": (15, lambda rig: rig.load() if rig.loads else None),
    "read anew": (5, lambda rig: setattr(rig, "pages", None)),
    "end": (25, lambda rig: rig.end_some(ENDS)),
    "make": (12, lambda rig: rig.make(rig.random.randint(1, 8))),
    "toggle": (14, toggle_one),
    "time": (6, lambda rig: rig.pass_time(rig.random.choice((10, 120, 1_000, 31_000)))),
    "crash": (3, lambda rig: rig.crash(committed=rig.random.random() < 0.5)),
    "pause": (1, lambda rig: rig.wish(paused=True)),
    "resume": (3, lambda rig: rig.wish()),
}


@dataclass
class Family:
    """Executions that recover one another, each with a history of its own; what has to be true of them."""

    folder: Path
    recovering_in: Any
    random: random.Random
    slices: int
    rigs: list[Any] = field(default_factory=list)

    def run(self, way: Inheritance | None) -> None:
        """One execution: faults at random, then it ends by itself, is stopped, or crashes for good."""
        expected = self.selected(way.kinds) if way else []
        rig = self.start(way)
        names = list(STEPS)
        weights = [STEPS[name][0] for name in names]
        for name in self.random.choices(names, weights, k=self.random.randint(1, 160)):
            if not rig.finished:
                STEPS[name][1](rig)
        match self.random.choice(("end", "stop", "die")):
            case "end":
                rig.wish()
                rig.settle()
            case "stop":
                rig.wish(stopping=True)
                rig.settle()
        self.check(rig, expected)

    def finish(self) -> None:
        """Recover without a fault: everything is done afterwards."""
        expected = self.selected(Kinds.ALL)
        rig = self.start(Inheritance(Kinds.ALL))
        rig.settle()
        assert rig.finished == ("completed", "")
        self.check(rig, expected)

    def start(self, way: Inheritance | None) -> Any:
        earlier = [rig.ex_id for rig in self.rigs]
        options = {"slices": self.slices, "daemons": 2, "seed": self.random.randint(0, 10**9)}
        rig = self.recovering_in(self.folder, earlier if way else [], way, **options)
        self.rigs.append(rig)
        return rig

    def newest(self) -> dict[str, Record]:
        """What became of each slice, by its id, in the order in which they were made."""
        return {record.slice_id: record for rig in self.rigs for record in records_of(rig)}

    def selected(self, kinds: Kinds) -> list[str]:
        states = {SliceState.ERROR} if kinds & Kinds.ERRORS else set()
        if kinds & Kinds.UNFINISHED:
            states |= {SliceState.PENDING, SliceState.START}
        return [slice_id for slice_id, record in self.newest().items() if record.state in states]

    def check(self, rig: Any, expected: list[str]) -> None:
        """What was copied is what it had to be, as far as it came; nothing is done twice, nothing is lost."""
        rig.store.close()
        assert verify_execution(rig.path).differences == ()
        records = records_of(rig)
        copies = [record.slice_id for record in records if record.is_copy]
        head = rig.machine._head  # the newest, durable or not
        has_taken_all = rig.finished is not None and head.taken_up > 0
        assert copies == (expected if has_taken_all else expected[: len(copies)])
        if rig.inheritance and rig.inheritance.ends_after:
            assert len(copies) == len(records), "it made slices, although it was to end"
        everything = [record for each in self.rigs for record in records_of(each)]
        done = Counter(record.slice_id for record in everything if record.state is SliceState.COMPLETED)
        assert set(done.values()) <= {1}, "a completed slice was done again"
        made = [record.order for record in everything if not record.is_copy]
        assert made == list(range(1, len(made) + 1)), "a slicer did not go on where it was"
        assert all(record.order == record.request for record in everything)

    def completed_requests(self) -> set[int]:
        return {record.request for record in self.newest().values() if record.state is SliceState.COMPLETED}


@given(seed=st.integers(min_value=0, max_value=10_000_000))
@settings(max_examples=80, deadline=None)
def test_recoveries_of_every_kind_end_with_what_a_run_without_faults_does(
    recovering_in: Any, seed: int
) -> None:
    drawn = random.Random(seed)
    with TemporaryDirectory() as folder:
        family = Family(Path(folder), recovering_in, drawn, slices=drawn.randint(1, 40))
        family.run(None)
        for _ in range(drawn.randint(0, 5)):
            family.run(drawn.choice(WAYS))
        family.finish()
        assert family.completed_requests() == set(range(1, family.slices + 1))


def stopped(rig: Any, *, made: int) -> None:
    """Make some slices, complete none, and stop."""
    rig.make(made)
    rig.wish(stopping=True)
    rig.settle()
    rig.store.close()


@pytest.fixture
def family(recovering_in: Any, tmp_path: Path) -> Family:
    return Family(tmp_path, recovering_in, random.Random(1), slices=10)


def test_slicers_start_behind_the_last_page_only(family: Family) -> None:
    stopped(family.start(None), made=5)
    rig = family.start(Inheritance(Kinds.ALL))
    rig.load()
    assert not rig.slicing
    rig.load()
    assert rig.slicing
    assert rig.made == 5


def test_a_controller_that_dies_while_taking_up_goes_on_behind_its_last_copy(family: Family) -> None:
    stopped(family.start(None), made=8)
    rig = family.start(Inheritance(Kinds.ALL))
    rig.load()
    rig.write()
    rig.load()
    rig.crash(committed=False)
    rig.settle()
    rig.store.close()
    assert [record.request for record in records_of(rig)] == list(range(1, 11))


def test_what_comes_after_the_stop_stays_where_it_is(family: Family) -> None:
    stopped(family.start(None), made=8)
    rig = family.start(Inheritance(Kinds.ALL))
    rig.wish(stopping=True)
    rig.load()
    rig.settle()
    rig.store.close()
    assert rig.finished == ("stopped", "")
    assert records_of(rig) == []
    assert len(family.selected(Kinds.ALL)) == 8


def test_the_status_is_recovering_until_the_last_copy_is_done(family: Family) -> None:
    stopped(family.start(None), made=3)
    rig = family.start(Inheritance(Kinds.ALL))
    phases = [rig.machine.report().phase]
    while rig.loads:
        rig.load()
    while rig.writes:
        rig.write()
    rig.connect(rig.daemons[0])
    while rig.writes:
        rig.write()
    phases.append(rig.machine.report().phase)
    rig.end(rig.daemons[0], dict.fromkeys(list(rig.daemons[0].held), ResultKind.COMPLETED))
    phases.append(rig.machine.report().phase)
    assert phases == ["recovering", "recovering", "running"]
    rig.settle()
    rig.store.close()


def test_a_lineage_that_cannot_be_read_ends_the_execution(family: Family) -> None:
    stopped(family.start(None), made=3)
    rig = family.start(Inheritance(Kinds.ALL))
    rig.feed(ev.LineageFailed("the store of execution x is damaged"))
    rig.settle()
    rig.store.close()
    status, failure = rig.finished
    assert status == "failed"
    assert "cannot recover: the store of execution x is damaged" in failure


def test_slicers_that_a_reader_does_not_make_have_finished(recovering_in: Any, tmp_path: Path) -> None:
    """A reader may make one slicer whatever the job says; the others are not waited for."""
    rig = recovering_in(tmp_path, [], None, slicers=3)
    rig.settle()
    assert rig.finished == ("completed", "")
    rig.store.close()


@pytest.mark.parametrize(
    ("slice_type", "autorecover", "expected"),
    [
        (None, False, Inheritance(Kinds.ALL)),
        ("all", False, Inheritance(Kinds.ALL, ends_after=True)),
        ("errors", False, Inheritance(Kinds.ERRORS, ends_after=True)),
        ("pending", False, Inheritance(Kinds.UNFINISHED, ends_after=True)),
        ("pending", True, Inheritance(Kinds.UNFINISHED)),
    ],
)
def test_the_document_says_what_is_inherited(
    slice_type: str | None, autorecover: bool, expected: Inheritance
) -> None:
    document = {
        "operations": [{"_op": "data_generator"}, {"_op": "noop"}],
        "ex_id": "ex",
        "job_id": "job",
        "autorecover": autorecover,
        "recovered_slice_type": slice_type,
    }
    assert inheritance_of(ExecutionSpec.model_validate(document)) == expected
