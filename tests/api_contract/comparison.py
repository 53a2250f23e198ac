"""Compares the columns of the table with a cluster.

A cell that moves its execution on gets one of its own; all others share the first.  A call to an execution that is
held by SIGSTOP may have to wait for what is held: it stays under way while the others are made, then what
is held is let go, and its answer is compared.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from tests.api_contract.matching import Reply
from tests.api_contract.stages import AT_ONCE, Case
from tests.api_contract.table import Row, Table
from tests.api_contract.trial import Trial, calls_of, send

ANSWER_SECONDS = 0.3  # so long a call is waited for while its execution is held

Trials = list[tuple[Trial, Future[list[Reply]]]]


class Comparison:
    """What was compared, and what differs."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.cells = 0
        self.differences: list[str] = []

    def needed(self, rows: list[Row], column: str) -> int:
        """How many executions a column uses up, and one for all the rest."""
        return 1 + sum(call.is_spending for call in calls_of(rows, column))

    def column(self, rows: list[Row], cases: list[Case]) -> list[str]:
        """Compare all cells of a column."""
        shared, *own = cases
        calls = calls_of(rows, shared.column)
        keeping = [self._trial(call, shared) for call in calls if not call.is_spending]
        owners = iter(own)
        spending = [(call, next(owners)) for call in calls if call.is_spending]
        make = self._held if shared.is_held else self._free
        return self._count(len(calls), [])

    def fields(self, case: Case) -> list[str]:
        """Compare the fields of an execution document."""
        rows = [row for row in self.table.fields if case.column in row.cells]
        document = send(case.cluster, "GET", f"/ex/{case.ex}").json
        found = []
        for row in rows:
            wanted = row.cells[case.column].answer
            if not _holds(wanted, document, row.label, case.ex):
                found.append(f"{case.column}: {row.label} must be {wanted}, is {document.get(row.label)!r}")
        return self._count(len(rows), found)
