"""`job` and `ex`: which request each command makes, what it prints, its exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sliceworks.cli.main import exit_code_of

REQUESTS = [
    (["ex", "show", "e"], "GET", "/ex/e"),
    (["ex", "pause", "e"], "POST", "/ex/e/_pause"),
    (["ex", "resume", "e"], "POST", "/ex/e/_resume"),
    (["ex", "stop", "e"], "POST", "/ex/e/_stop?blocking=true&force=false"),
    (
        ["ex", "stop", "e", "--timeout", "5", "--no-blocking", "--force"],
        "POST",
        "/ex/e/_stop?timeout=5&blocking=false&force=true",
    ),
    (["ex", "workers", "e", "--add", "2"], "POST", "/ex/e/_workers?add=2"),
    (["job", "workers", "j", "--total", "2"], "POST", "/jobs/j/_workers?total=2"),
    (["job", "pause", "j"], "POST", "/jobs/j/_pause"),
    (["job", "start", "j"], "POST", "/jobs/j/_start"),
    (["job", "show", "j"], "GET", "/jobs/j"),
]


@pytest.mark.parametrize(("arguments", "method", "target"), REQUESTS)
def test_sends_one_request_and_prints_the_answer(
    master: Any, capsys: pytest.CaptureFixture[str], arguments: list[str], method: str, target: str
) -> None:
    master.on(method, target.partition("?")[0], {"status": "fine"})
    assert exit_code_of([*arguments, "--url", master.url]) == 0
    assert master.requests == [(method, target, b"")]
    assert capsys.readouterr().out == '{"status": "fine"}\n'


def test_the_url_can_come_from_the_environment(master: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLICEWORKS_URL", master.url)
    master.on("GET", "/ex", [])
    assert exit_code_of(["ex", "list"]) == 0


@pytest.mark.parametrize("options", [[], ["--add", "1", "--remove", "1"], ["--add", "0"], ["--total", "x"]])
def test_workers_wants_exactly_one_number(master: Any, options: list[str]) -> None:
    assert exit_code_of(["ex", "workers", "e", *options, "--url", master.url]) == 2
    assert master.requests == []


def test_lists_are_one_document_a_line_on_a_pipe(master: Any, capsys: pytest.CaptureFixture[str]) -> None:
    master.on("GET", "/jobs", [{"job_id": "a"}, {"job_id": "b"}])
    assert exit_code_of(["job", "list", "--url", master.url]) == 0
    assert [json.loads(line)["job_id"] for line in capsys.readouterr().out.splitlines()] == ["a", "b"]
    assert master.requests[0][1] == "/jobs?size=100"


def test_a_table_shows_the_columns_that_matter(master: Any, capsys: pytest.CaptureFixture[str]) -> None:
    master.on("GET", "/ex", [{"ex_id": "e", "name": "x", "_status": "running", "other": "hidden"}])
    assert exit_code_of(["ex", "list", "-o", "table", "--url", master.url]) == 0
    header, _, row = capsys.readouterr().out.splitlines()
    assert header.split()[:3] == ["ex_id", "name", "_status"]
    assert row.split() == ["e", "x", "running"]


def test_submits_a_file(master: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "job.json").write_text('{"name": "x"}')
    master.on("POST", "/jobs", {"job_id": "j", "ex_id": "e"})
    assert exit_code_of(["job", "submit", str(tmp_path / "job.json"), "--url", master.url]) == 0
    assert master.requests == [("POST", "/jobs?start=true", b'{"name": "x"}')]
    assert json.loads(capsys.readouterr().out) == {"job_id": "j", "ex_id": "e"}


def test_a_file_that_is_not_json_is_not_sent(
    master: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "job.json").write_text('{\n  "name": x}')
    assert exit_code_of(["job", "submit", str(tmp_path / "job.json"), "--url", master.url]) == 2
    assert "line 2, column 11" in capsys.readouterr().err
    assert master.requests == []


@pytest.mark.parametrize(
    ("status", "code"),
    [("completed", 0), ("failed", 10), ("rejected", 10), ("stopped", 12), ("terminated", 12)],
)
def test_waiting_ends_with_the_code_of_the_status(master: Any, status: str, code: int) -> None:
    master.on("GET", "/jobs/j/ex", {"ex_id": "e"})
    master.on("GET", "/ex/e", {"_status": "running"}, {"_status": status})
    assert exit_code_of(["job", "wait", "j", "--url", master.url]) == code


def test_waiting_can_time_out(master: Any, capsys: pytest.CaptureFixture[str]) -> None:
    master.on("GET", "/ex/e", {"_status": "running"})
    assert exit_code_of(["ex", "wait", "e", "--timeout", "50ms", "--url", master.url]) == 11
    assert json.loads(capsys.readouterr().out) == {"ex_id": "e", "status": "timed out"}
    assert exit_code_of(["ex", "wait", "e", "--timeout", "soon", "--url", master.url]) == 2


def test_what_is_refused_has_its_exit_code(master: Any, capsys: pytest.CaptureFixture[str]) -> None:
    master.on("POST", "/ex/e/_pause", {"error": 409, "message": "it is over"}, status=409)
    assert exit_code_of(["ex", "pause", "e", "--url", master.url]) == 5
    assert capsys.readouterr().err == "Error: it is over\n"
