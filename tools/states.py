"""Draws the states of executions and slices from the tables in `protocol/states.py` into `docs/states.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import TypeVar

from sliceworks.protocol.states import (
    INIT_STATUSES,
    RUNNING_STATUSES,
    SLICE_TRANSITIONS,
    STATUS_TRANSITIONS,
    TERMINAL_STATUSES,
    ExecutionStatus,
    SliceState,
)
from tools.generated import main_of

PAGE = "docs/states.md"

State = TypeVar("State", bound=Enum)


def page() -> str:
    """The whole page."""
    return f"""# States

Made from `protocol/states.py` by `make docs`. What has no arrow raises.

## Executions

`_status` of an execution, written by the master alone.

| kind | statuses |
| --- | --- |
| starting | {_names(INIT_STATUSES)} |
| running | {_names(RUNNING_STATUSES)} |
| terminal: never changed again | {_names(TERMINAL_STATUSES)} |

{drawing(STATUS_TRANSITIONS, start=ExecutionStatus.PENDING)}

## Slices

`state` of a slice, written by its execution controller alone. `start` goes back to `pending` when a lease
ends without a final result: a retry, a loss, a hand-back.

{drawing(SLICE_TRANSITIONS, start=SliceState.PENDING)}
"""


def drawing(table: Mapping[State, frozenset[State]], *, start: State) -> str:
    """One table as a Mermaid state diagram."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {_name(start)}"]
    for old, successors in table.items():
        lines += [f"    {_name(old)} --> {_name(new)}" for new in table if new in successors]
        lines += [f"    {_name(old)} --> [*]"] if not successors else []
    return "\n".join([*lines, "```"])


def _names(statuses: Iterable[ExecutionStatus]) -> str:
    order = list(ExecutionStatus)
    return ", ".join(f"`{_name(status)}`" for status in sorted(statuses, key=order.index))


def _name(state: Enum) -> str:
    return state.name.lower()


if __name__ == "__main__":
    sys.exit(main_of(PAGE, page()))
