"""Compares the columns of the table with a cluster.

A cell that moves its execution on gets one of its own; all others share the first.  A call to an execution
that is held by SIGSTOP may have to wait for what is held: it stays under way while the others are made, then
what is held is let go, and its answer is compared.  What is stopped by force is never let go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYetError
from typing import Any

from tests.api_contract.matching import fill
from tests.api_contract.stages import AT_ONCE, Case
from tests.api_contract.table import Row, Table
from tests.api_contract.trial import Call, Trial, calls_of, send

ANSWER_SECONDS = 0.3  # so long a call is waited for while its execution is held
MANY = 64
WITHOUT = "{job without"  # such calls come before what the execution lacks is put in place
STATISTICS = {"processed", "failed", "queued", "workers_joined", "slicers", "started"}
REASONS = {
    "failure-event": "execution {ex} has encountered a processing error, reason: slice failure event",
    "failure-count": "execution: {ex} had 1 slice failure(s) during processing",
}


class Comparison:
    """What was compared, and what differs."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.cells = 0
        self.differences: list[str] = []

    def needed(self, rows: list[Row], column: str) -> int:
        """How many executions a column uses: one for each cell that spends it, and one for all the rest."""
        return 1 + sum(call.is_spending for call in calls_of(rows, column))

    def column(self, rows: list[Row], cases: list[Case]) -> list[str]:
        """Compare all cells of a column; the differences."""
        shared, *own = cases
        calls = calls_of(rows, shared.column)
        keeping = [(call, shared) for call in calls if not call.is_spending]
        spending = list(zip([call for call in calls if call.is_spending], own, strict=True))
        compare = self._held if shared.is_held else self._free
        found = compare(keeping, spending)
        return self._count(len(calls), found)

    def fields(self, case: Case) -> list[str]:
        """Compare the fields of an execution document; the differences."""
        rows = [row for row in self.table.fields if case.column in row.cells]
        document = send(case.cluster, "GET", f"/ex/{case.ex}").json
        wanted = {row.label: row.cells[case.column].answer for row in rows}
        found = [
            f"{case.column}: {name} must be {value}, is {document.get(name)!r}"
            for name, value in wanted.items()
            if not _holds(value, document, name)
        ]
        return self._count(len(rows), found)

    def _free(self, keeping: list[tuple[Call, Case]], spending: list[tuple[Call, Case]]) -> list[str]:
        """One after the other; those with an execution of their own some at once."""
        found = []
        for call, case in sorted(keeping, key=lambda pair: WITHOUT not in pair[0].path):
            if WITHOUT not in call.path:
                case.release()
            found += self._compare(call, case)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for differences in pool.map(lambda pair: self._compare(*pair), spending):
                found += differences
        return found

    def _held(self, keeping: list[tuple[Call, Case]], spending: list[tuple[Call, Case]]) -> list[str]:
        """All calls first, then what is held is let go."""
        found: list[str] = []
        waiting = []
        with ThreadPoolExecutor(MANY) as pool:
            for call, case in keeping:
                trial = self._trial(call, case)
                reply = pool.submit(trial.replies)
                try:
                    found += trial.judge(reply.result(ANSWER_SECONDS))
                except NotYetError:
                    waiting.append((trial, reply))
            trials = [self._trial(call, case) for call, case in spending]
            waiting += [(trial, pool.submit(trial.replies)) for trial in trials]
            _let_go(case for call, case in [*keeping[:1], *spending] if not call.is_forced)
            for trial, reply in waiting:
                found += trial.judge(reply.result(), is_let_go=True)
        return found

    def _compare(self, call: Call, case: Case) -> list[str]:
        trial = self._trial(call, case)
        return trial.judge(trial.replies())

    def _trial(self, call: Call, case: Case) -> Trial:
        return Trial(call, self.table.answers[call.cell.answer], case)

    def _count(self, cells: int, found: list[str]) -> list[str]:
        self.cells += cells
        self.differences += found
        return found


def _let_go(cases: Iterable[Case]) -> None:
    """Once what was called has arrived."""
    for case in cases:
        assert case.cluster.get("/")  # the master has read every request that was sent before
        case.release()


def _holds(wanted: str, document: Mapping[str, Any], name: str) -> bool:
    """Whether a field holds what its cell says."""
    value = document.get(name)
    match wanted:
        case "absent":
            return name not in document
        case "empty":
            return value == ""
        case "text":
            return isinstance(value, str) and bool(value)
        case "number":
            return isinstance(value, int) and value > 0
        case "true" | "false":
            return value is (wanted == "true")
        case "{}":
            return value == {}
        case "stats":
            return isinstance(value, dict) and set(value) >= STATISTICS
        case "failure-event" | "failure-count":
            return value == fill(REASONS[wanted], {"ex": str(document["ex_id"])})
    return bool(re.fullmatch(re.escape(wanted), str(value)))
