"""One cell of the table, called and judged: the answer, what came of it, and what must not have changed."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any

from tests.acceptance.harness import Cluster, is_alive
from tests.api_contract.matching import Reply, differences, fill
from tests.api_contract.stages import UNKNOWN, Case
from tests.api_contract.table import Answer, Cell, Row

LIVING = ("pending", "scheduling", "initializing", "recovering", "running", "failing", "paused", "stopping")
SPENDING = ("started", "recovered", "deleted")
CHECKED = ("replaced", "active")
SETTLE_SECONDS = 15


@dataclass(frozen=True)
class Call:
    """One cell, in one of the forms of its row."""

    row: Row
    path: str
    cell: Cell
    column: str

    @property
    def is_forced(self) -> bool:
        """Whether it kills what does not answer."""
        return "force=true" in self.path

    @property
    def is_spending(self) -> bool:
        """Whether the execution, or its job, is of no use for another cell afterwards."""
        name = self.cell.answer
        if name in CHECKED and self.column == "scheduling":
            return True  # it waits for the process that is stopped, and two at once would meet
        return bool(self.cell.after) or (
            name.startswith(SPENDING) and not name.endswith(("-twice", "-job", "-execution"))
        )


def calls_of(rows: list[Row], column: str) -> list[Call]:
    """The cells of a column."""
    return [
        Call(row, path, row.cells[column], column)
        for row in rows
        if column in row.cells
        for path in row.paths
    ]


def send(cluster: Cluster, method: str, path: str, body: Any = None) -> Reply:
    """One request."""
    connection = http.client.HTTPConnection("127.0.0.1", cluster.port, timeout=60)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        response = connection.getresponse()
        return Reply(response.status, response.read())
    finally:
        connection.close()


class Trial:
    """One cell with its execution: made before the call, so that it knows what was before."""

    def __init__(self, call: Call, answer: Answer, case: Case) -> None:
        self._call = call
        self._answer = answer
        self._case = case
        self._job, self._ex = self._documents()
        self.name = f"{case.column}: {call.row.method} {call.path}"

    def replies(self) -> list[Reply]:
        """Call it: what is read is read with both prefixes."""
        path, method, prefixes = fill(self._call.path, self._names()), self._call.row.method, [""]
        if method == "GET" and not path.startswith("/txt"):
            prefixes = ["", "/v1"]
        elif path.startswith("/jobs"):
            prefixes = ["/v1"]
        body = {**self._case.body, "name": "replaced"} if method == "PUT" else None
        return [send(self._case.cluster, method, prefix + path, body) for prefix in prefixes]

    def judge(self, replies: list[Reply], *, is_let_go: bool = False) -> list[str]:
        """Every difference; `is_let_go`: what held the execution does so no more."""
        names = self._names()
        found = [each for reply in replies for each in differences(self._answer, reply, names)]
        if not found:
            found = [*self._effect(replies[0]), *self._left(is_let_go)]
        return [f"{self.name}: {each}" for each in found]

    def _names(self) -> dict[str, str]:
        case = self._case
        return {
            "job": case.job,
            "job without asset": case.job,
            "ex": case.ex,
            "older": case.older,
            "status": case.status,
            "other": "running" if case.status == "paused" else "paused",
            "workers": str(self._ex.get("workers", "")),
        }

    def _documents(self) -> tuple[Any, Any]:
        """The job and the execution; what does not exist is empty."""
        found = [
            send(self._case.cluster, "GET", path)
            for path in (f"/jobs/{self._case.job}", f"/ex/{self._case.ex}")
        ]
        job, execution = (reply.json if reply.status == 200 else {} for reply in found)
        return job, execution

    def _effect(self, reply: Reply) -> list[str]:
        """What the table says under *effect*."""
        effect, workers = self._answer.effect, self._ex.get("workers", 0)
        match effect.split(" ")[0]:
            case "":
                return []
            case "workers":
                wanted = {"+": workers + 1, "-": workers - 1, "=": 3}[effect.split(" ")[1]]
                now = self._documents()[1]["workers"]
                return [] if now == wanted else [f"{wanted} workers must be wanted now, not {now}"]
            case "no":
                return self._stopped(effect)
            case "a":
                return self._new_execution(reply.json["ex_id"], effect)
            case "the":
                kept = self._ex.get("name") == self._documents()[1].get("name")
                return [] if kept else ["the execution must keep its name"]
            case "its":
                gone = not self._ex or self._documents()[1].get("_deleted")
                return [] if gone else ["the execution must be deleted with its job"]
        raise ValueError(effect)

    def _stopped(self, effect: str) -> list[str]:
        left = [pid for pid in self._case.pids if is_alive(pid)]
        found = [f"processes are left: {left}"] if left else []
        kept = ("_has_errors", "_failureReason") if "were" in effect else ()
        now = self._documents()[1]
        return found + [
            f"{key} was {self._ex[key]!r}, is {now[key]!r}" for key in kept if now[key] != self._ex[key]
        ]

    def _new_execution(self, ex: str, effect: str) -> list[str]:
        made = send(self._case.cluster, "GET", f"/ex/{ex}").json
        send(self._case.cluster, "POST", f"/ex/{ex}/_stop?force=true&blocking=false")
        kind = effect.rpartition("recovered_slice_type` ")[2]
        is_plain = "no `recovered_slice_type`" in effect
        expected = {
            "recovered_execution": self._case.ex if "recovered" in effect else None,
            "recovered_slice_type": None if is_plain or "recovered" not in effect else kind,
        }
        return [
            f"{key} of the new execution must be {value!r}, is {made.get(key)!r}"
            for key, value in expected.items()
            if made.get(key) != value
        ]

    def _left(self, is_let_go: bool) -> list[str]:
        """The status afterwards; and a refusal changes nothing."""
        case, after = self._case, self._call.cell.after
        if after:
            return self._arrives(after)
        job, execution = self._documents()
        found = []
        if self._answer.status >= 400 and case.ex != UNKNOWN and not is_let_go:
            if job != self._job:
                found.append("a refusal must not change the job")
            if execution.get("workers") != self._ex.get("workers"):
                found.append("a refusal must not change the workers")
        if self._ex and not is_let_go and execution["_status"] != self._ex["_status"]:
            found.append(f"the status must stay {self._ex['_status']}, is {execution['_status']}")
        return found

    def _arrives(self, status: str) -> list[str]:
        """At once if nothing was waited for; what is held, and what stops, comes to it."""
        if not self._case.is_held and status != "stopped":
            now = self._documents()[1]["_status"]
            return [] if now == status else [f"the status must be {status} now, is {now}"]
        try:
            self._case.cluster.wait_status(self._case.ex, status, seconds=SETTLE_SECONDS)
        except AssertionError:
            return [f"the status must become {status}, is {self._case.cluster.status(self._case.ex)}"]
        return []
