"""Leases of neighbors are written as one statement: what is in the store is the same as one by one."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from sliceworks.master.store.batch import Batch, Group, Head, Row
from sliceworks.master.store.execution import ExecutionStore, store_path
from sliceworks.master.store.history import read_slices

EX_ID = "11111111-2222-4333-8444-555555555555"
SLICES = 30

leases = st.lists(
    st.tuples(st.integers(1, 2), st.integers(100, 101), st.integers(1, SLICES)),
    max_size=SLICES,
    unique_by=lambda lease: lease[2],
)


def batch(number: int, group: Group) -> Batch:
    head = {name: getattr(Head(), name) for name in Head.__dataclass_fields__}
    return Batch(number, head, [group], [], [], [])


@given(drawn=leases, in_order=st.booleans())
@settings(max_examples=60, deadline=None)
def test_each_lease_is_recorded_and_no_other(drawn: list[tuple[int, int, int]], in_order: bool) -> None:
    rows: list[Row] = [(node, ms, ms, seq) for node, ms, seq in drawn]
    if in_order:
        rows.sort(key=lambda row: int(row[3]))
    inserts: list[Row] = [(n, 0, n, b"1", 0, 0, 1, 1, None, None) for n in range(1, SLICES + 1)]
    with TemporaryDirectory() as folder:
        path = store_path(Path(folder), EX_ID)
        store = ExecutionStore.open(path, ex_id=EX_ID, generation=1, durability="process")
        store.apply(batch(1, Group(inserts=inserts)))
        store.apply(batch(2, Group(first_leases=rows)))
        nodes = {row.seq: row.node for row in store.load().leases}
        store.close()
        states = [s["state"] for s in read_slices(path, state=None, size=SLICES, offset=0)]
    assert nodes == {seq: node for node, _, seq in drawn}
    assert states.count("start") == len(drawn)
    assert states.count("pending") == SLICES - len(drawn)
