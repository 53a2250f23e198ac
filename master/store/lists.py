"""Lists of slices: which of an execution's slices are wanted, in which order, and what that may cost.

The key of a list of slices is the order in which they were made; that of a list of errors is the time at
which they ended.  Whatever is sorted or searched otherwise has to look at every slice, and is refused where
there are many.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cmp_to_key
from typing import Any, Final

from sliceworks.master.search.conditions import Condition, Present, Same, Test
from sliceworks.master.search.fields import Column, Kind
from sliceworks.master.search.tree import Every, Leaf, grafted, leaves
from sliceworks.master.store.batch import Head
from sliceworks.master.store.records import Order, Page
from sliceworks.protocol.errors import InvalidError
from sliceworks.protocol.ids import ExId, SliceId, seq_of
from sliceworks.protocol.states import SliceState

MAX_SEARCHED: Final = 100_000
"""Slices, beyond which a list has to do with its key."""

AS_MADE: Final = (Order("_created"),)

_SEQ: Final = Column("seq", Kind.NUMBER)


@dataclass(frozen=True, slots=True)
class SliceList:
    """What is wanted; `state` None: slices in any."""

    page: Page
    state: SliceState | None = None


@dataclass(frozen=True, slots=True)
class Scan:
    """How an engine is to find it: by the index of errors or along the key, from `floor` on."""

    page: Page
    state: SliceState | None
    floor: int
    by_errors: bool


def scan_of(wanted: SliceList, head: Head, ex_id: ExId) -> Scan | None:
    """The cheapest way; None: there are no such slices.  InvalidError if every way costs too much."""
    candidates = _candidates(wanted.state, head)
    if wanted.state is not None and not candidates:
        return None
    order = tuple(_as_made(key) for key in wanted.page.order)
    page = replace(wanted.page, matching=_by_seq(wanted.page.matching, ex_id), order=order)
    in_error = wanted.state is SliceState.ERROR
    if candidates > MAX_SEARCHED and not _by_key(wanted, in_error=in_error):
        key = "_updated" if in_error else "_created"
        message = (
            f"execution {ex_id} has {candidates} such slices: above {MAX_SEARCHED} they can be sorted "
            f"by {key} alone, and filtered by slice_id alone"
        )
        raise InvalidError(message)
    is_open = wanted.state in (SliceState.PENDING, SliceState.START)
    sparse = in_error and (candidates <= MAX_SEARCHED or _is_by(page, "_updated"))
    return Scan(page, wanted.state, head.floor_seq if is_open else 0, by_errors=sparse)


def merge_key(order: Sequence[Order]) -> Any:
    """The place of a record in a list of many executions, as their stores order it."""

    def compare(one: Mapping[str, Any], other: Mapping[str, Any]) -> int:
        for key in order:
            first, second = _rank(one, key.field), _rank(other, key.field)
            if first != second:
                return -1 if (first < second) != key.descending else 1
        return 0

    return cmp_to_key(compare)


def _candidates(state: SliceState | None, head: Head) -> int:
    counts = {
        SliceState.PENDING: head.pending,
        SliceState.START: head.start,
        SliceState.COMPLETED: head.completed,
        SliceState.ERROR: head.error,
    }
    return sum(counts.values()) if state is None else counts[state]


def _by_key(wanted: SliceList, *, in_error: bool) -> bool:
    keys = ("_created", "_updated") if in_error else ("_created",)
    sorted_by_key = len(wanted.page.order) == 1 and any(_is_by(wanted.page, key) for key in keys)
    tests = leaves(wanted.page.matching) if wanted.page.matching else ()
    return sorted_by_key and all(_is_id(test) for test in tests)


def _as_made(key: Order) -> Order:
    return replace(key, field=_SEQ.name) if key.field == "_created" else key


def _is_by(page: Page, field: str) -> bool:
    return page.order[0].field == field


def _is_id(test: Test) -> bool:
    return isinstance(test.target, Column) and test.target.kind is Kind.ID


def _by_seq(condition: Condition | None, ex_id: ExId) -> Condition | None:
    """Ids that are computed from the seq, as the seq."""

    def graft(test: Test) -> Condition:
        if isinstance(test, Present) and _is_id(test):
            return Every(())
        seq = (
            seq_of(ex_id, SliceId(test.text))
            if isinstance(test, Same) and test.text and _is_id(test)
            else None
        )
        return Leaf(test) if seq is None else Leaf(Same(_SEQ, number=seq))

    return None if condition is None else grafted(condition, graft)


def _rank(record: Mapping[str, Any], field: str) -> tuple[bool, Any]:
    value = record.get(field)
    return value is not None, value
