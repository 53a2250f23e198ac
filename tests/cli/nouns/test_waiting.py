"""`wait`: the exit code says how it ended."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sliceworks.cli.main import exit_code_of


def execution(ex_id: str, status: str, **fields: str) -> dict[str, str]:
    return {"ex_id": ex_id, "job_id": "j", "name": "x", "_status": status, **fields}


@pytest.mark.parametrize(
    ("status", "code"),
    [("completed", 0), ("failed", 10), ("rejected", 10), ("stopped", 12), ("terminated", 12)],
)
def test_ends_with_the_code_of_the_status(master: Any, status: str, code: int) -> None:
    master.on("GET", "/jobs/j/ex", execution("e", "running"))
    master.on("GET", "/ex/e", execution("e", "running"), execution("e", status))
    assert exit_code_of(["job", "wait", "j", "--url", master.url]) == code


def test_can_time_out(master: Any, capsys: pytest.CaptureFixture[str]) -> None:
    master.on("GET", "/ex/e", execution("e", "running"))
    assert exit_code_of(["ex", "wait", "e", "--timeout", "50ms", "--url", master.url]) == 11
    assert json.loads(capsys.readouterr().out) == {"ex_id": "e", "status": "timed out"}


def test_can_time_out_before_anything_is_known(master: Any, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["job", "wait", "j", "k", "--timeout", "0ms", "--url", master.url]
    assert exit_code_of(arguments) == 11
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {"ex_id": None, "job_id": target, "status": "timed out"} for target in ("j", "k")
    ]


def test_of_several_each_is_told_when_it_ends(master: Any, capsys: pytest.CaptureFixture[str]) -> None:
    master.on("GET", "/ex/a", *(execution("a", status) for status in ("running", "running", "completed")))
    master.on("GET", "/ex/b", execution("b", "failed", _failureReason="a reason\nmore"))
    assert exit_code_of(["ex", "wait", "a", "nope", "b", "-o", "table", "--url", master.url]) == 3
    told = capsys.readouterr()
    assert told.out.splitlines() == ["execution b (x): failed: a reason", "execution a (x): completed"]
    assert told.err == "Error: nope: no such path\n"


def test_what_does_not_exist_is_exit_code_4(master: Any) -> None:
    assert exit_code_of(["job", "wait", "nope", "--url", master.url]) == 4
