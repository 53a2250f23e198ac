"""The comparison finds what is wrong: a table that nothing can differ from would show nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api_contract.matching import Reply, differences
from tests.api_contract.table import Answer, read_table

NAMES = {"ex": "E", "job": "J", "status": "running", "workers": "2"}
WORKER = {"worker_id": 1, "assignment": "worker", "pid": 7, "ex_id": "E", "job_id": "J"}
CONTROLLER = {**WORKER, "assignment": "execution_controller"}


def state(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"node": {"active": list(entries)}}


@pytest.mark.parametrize(
    ("name", "status", "body", "is_right"),
    [
        ("paused", 200, {"status": "paused"}, True),
        ("paused", 200, {"status": "running"}, False),
        ("paused", 409, {"status": "paused"}, False),
        ("itself", 200, {"status": "running"}, True),
        ("added", 200, "1 workers have been add for execution: E", True),
        ("added", 200, {"message": "1 workers have been add for execution: E"}, False),
        ("no-pause", 409, {"error": 409, "message": "Execution E is not available to pause"}, True),
        ("no-pause", 409, {"error": 409, "message": "Execution E is not available to pause, yet"}, False),
        ("no-pause", 409, {"error": "409", "message": "Execution E is not available to pause"}, False),
        ("no-pause", 409, {"message": "Execution E is not available to pause"}, False),
        (
            "too-many",
            400,
            {"error": 400, "message": "workers to be removed: 99 cannot be >= to current workers: 3"},
            False,
        ),
        ("runs", 409, {"error": 409, "message": "job J runs"}, True),
        ("runs", 409, {"error": 409, "message": "it runs"}, False),
        ("started", 200, {"job_id": "J", "ex_id": "no id"}, False),
        ("no-errors", 200, [], True),
        ("no-errors", 200, [{}], False),
        ("errors", 200, [], False),
        ("has-ex", 200, [{"ex_id": "other"}, {"ex_id": "E"}], True),
        ("has-ex", 200, [{"ex_id": "other"}], False),
        ("lacks-ex", 200, [{"ex_id": "E"}], False),
        ("job-no-ex", 200, {"job_id": "J", "_context": "job", "ex": {"_status": "completed"}}, False),
        ("all-completed", 200, {"pending": 0, "start": 0, "completed": 2, "error": 0}, True),
        ("all-completed", 200, {"pending": 0, "start": 0, "completed": True, "error": 0}, False),
        ("all-completed", 200, {"pending": 0, "start": 0, "completed": 2}, False),
        ("idle", 200, state(), True),
        ("idle", 200, state(WORKER), False),
        ("at-work", 200, state(WORKER, CONTROLLER), True),
        ("at-work", 200, state(WORKER), False),
        ("at-work", 200, state({**WORKER, "pid": 0}, CONTROLLER), False),
    ],
)
def test_an_answer_is_held_to_the_table(name: str, status: int, body: object, is_right: bool) -> None:
    reply = Reply(status, json.dumps(body).encode())
    assert (not differences(read_table().answers[name], reply, NAMES)) is is_right


@pytest.mark.parametrize(
    ("kind", "text", "is_right"),
    [
        ("a row with", "{ex} {status}", True),
        ("a row with", "{ex} paused", False),
        ("no row with", "{ex}` nor `{job}", False),
        ("no row with", "X` nor `Y", True),
    ],
)
def test_a_text_table_is_read_row_by_row(kind: str, text: str, is_right: bool) -> None:
    reply = Reply(200, b"ex_id  _status\n-----  -------\nF      paused \nE      running\n")
    assert (not differences(Answer(200, kind, text, ""), reply, NAMES)) is is_right
