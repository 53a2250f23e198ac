"""Each command of a noun: which requests it makes, what it prints on a pipe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sliceworks.cli.main import exit_code_of
from sliceworks.cli.nouns import node_drain

JOB = {"job_id": "j", "name": "x"}
STATUS = {"status": "paused"}
STARTED = {"job_id": "j", "ex_id": "new"}
COUNTS = {"pending": 1, "start": 1, "completed": 1, "error": 1}
WORKERS = "5 workers have been add for execution: e"
ASSET = "a" * 40
NODE = {"node_id": "n", "hostname": "h", "state": "connected", "pid": 3, "total": 2, "active": []}

REQUESTS: list[tuple[list[str], str, str, Any]] = [
    (["ex", "show", "e"], "GET", "/ex/e", {"ex_id": "e", "job_id": "j", "_status": "running"}),
    (["ex", "pause", "e"], "POST", "/ex/e/_pause", STATUS),
    (["ex", "resume", "e"], "POST", "/ex/e/_resume", STATUS),
    (["ex", "stop", "e"], "POST", "/ex/e/_stop?blocking=true&force=false", STATUS),
    (
        ["ex", "stop", "e", "--timeout", "5s", "--no-blocking", "--force"],
        "POST",
        "/ex/e/_stop?timeout=5000&blocking=false&force=true",
        STATUS,
    ),
    (["ex", "recover", "e"], "POST", "/ex/e/_recover", STARTED),
    (["ex", "recover", "e", "--cleanup", "errors"], "POST", "/ex/e/_recover?cleanup_type=errors", STARTED),
    (["ex", "workers", "e", "--add", "2"], "POST", "/ex/e/_workers?add=2", WORKERS),
    (["ex", "controller", "e"], "GET", "/ex/e/controller", [{"ex_id": "e", "job_id": "j"}]),
    (["ex", "log-level", "e", "debug"], "POST", "/ex/e/_settings?log_level=debug", {"level": "debug"}),
    (["job", "workers", "j", "--total", "2"], "POST", "/jobs/j/_workers?total=2", WORKERS),
    (["job", "workers", "j", "--remove", "2"], "POST", "/jobs/j/_workers?remove=2", WORKERS),
    (["job", "pause", "j"], "POST", "/jobs/j/_pause", STATUS),
    (["job", "start", "j"], "POST", "/jobs/j/_start", STARTED),
    (["job", "show", "j"], "GET", "/jobs/j", JOB),
    (["job", "activate", "j"], "POST", "/jobs/j/_active", JOB),
    (["job", "deactivate", "j"], "POST", "/jobs/j/_inactive", JOB),
    (["job", "delete", "j"], "DELETE", "/jobs/j", JOB),
    (["job", "log-level", "j", "warn"], "POST", "/jobs/j/_settings?log_level=warn", {"level": "warn"}),
    (["slice", "count", "e"], "GET", "/ex/e/slices/_count", COUNTS),
    (["asset", "show", "x:1"], "GET", "/assets/x/1?size=1", [{"id": ASSET, "name": "x", "version": "1.0.0"}]),
    (["asset", "delete", ASSET], "DELETE", f"/assets/{ASSET}", {"asset_id": ASSET}),
    (["cluster", "show"], "GET", "/", {"name": "c"}),
    (["cluster", "stats"], "GET", "/cluster/stats", {"controllers": {"processed": 1}}),
    (["cluster", "controllers"], "GET", "/cluster/controllers", [{"ex_id": "e", "job_id": "j"}]),
    (["node", "list"], "GET", "/cluster/state", {"n": NODE}),
]


@pytest.mark.parametrize(("arguments", "method", "target", "answer"), REQUESTS)
def test_sends_one_request_and_prints_one_document(
    master: Any,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    method: str,
    target: str,
    answer: Any,
) -> None:
    master.on(method, target.partition("?")[0], answer)
    assert exit_code_of([*arguments, "--url", master.url]) == 0
    assert master.requests == [(method, target, b"")]
    (line,) = capsys.readouterr().out.splitlines()
    assert isinstance(json.loads(line), dict)


LISTS = [
    (["job", "list"], "/jobs?size=100"),
    (["job", "list", "--active", "--deleted"], "/jobs?active=true&deleted=true&size=100"),
    (["job", "list", "--inactive"], "/jobs?active=false&size=100"),
    (["ex", "list", "--status", "running,failing"], "/ex?status=running,failing&size=100"),
    (
        ["ex", "list", "--job", "j", "--filter", "name:x"],
        "/ex?size=100&filter=%28name:x%29%20AND%20job_id:%22j%22",
    ),
    (
        ["ex", "list", "--size", "5", "--from", "2", "--sort", "name:asc"],
        "/ex?size=5&from=2&sort=name:asc",
    ),
    (["ex", "list", "--all"], "/ex?size=1000&from=0&sort=_created:asc"),
    (["ex", "errors", "e"], "/ex/e/errors?size=100"),
    (["job", "errors", "j"], "/jobs/j/errors?size=100"),
    (["ex", "errors"], "/ex/errors?size=100"),
    (["slice", "list", "e", "--state", "error"], "/ex/e/slices?state=error&size=100"),
    (["asset", "list", "x", "1.*"], "/assets/x/1.%2A?size=100"),
]


@pytest.mark.parametrize(("arguments", "target"), LISTS)
def test_lists_take_their_options(master: Any, arguments: list[str], target: str) -> None:
    master.on("GET", target.partition("?")[0], [])
    assert exit_code_of([*arguments, "--url", master.url]) == 0
    assert master.requests == [("GET", target, b"")]


def test_the_url_can_come_from_the_environment(master: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLICEWORKS_URL", master.url)
    master.on("GET", "/ex", [])
    assert exit_code_of(["ex", "list"]) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["ex", "workers", "e"],
        ["ex", "workers", "e", "--add", "1", "--remove", "1"],
        ["ex", "workers", "e", "--add", "0"],
        ["ex", "workers", "e", "--total", "x"],
        ["ex", "wait", "e", "--timeout", "soon"],
        ["ex", "list", "--all", "--sort", "name:asc"],
        ["ex", "errors", "e", "--follow", "--size", "3"],
        ["ex", "errors", "--follow"],
        ["job", "errors"],
        ["ex", "recover", "e", "--cleanup", "some"],
        ["ex", "pause"],
        ["ex", "pause", "e", "-o", "xml"],
        ["job", "submit", "there-is-no-such-file"],
        ["asset", "delete", "name"],
        ["job", "show", ".."],
    ],
)
def test_wrong_usage_is_exit_code_2_and_no_request(master: Any, arguments: list[str]) -> None:
    assert exit_code_of([*arguments, "--url", master.url]) == 2
    assert master.requests == []


def test_lists_are_one_document_a_line_on_a_pipe(master: Any, capsys: pytest.CaptureFixture[str]) -> None:
    master.on("GET", "/jobs", [{"job_id": "a"}, {"job_id": "b"}])
    assert exit_code_of(["job", "list", "--url", master.url]) == 0
    assert [json.loads(line)["job_id"] for line in capsys.readouterr().out.splitlines()] == ["a", "b"]
    assert exit_code_of(["job", "list", "-q", "--url", master.url]) == 0
    assert capsys.readouterr().out == "a\nb\n"
    assert exit_code_of(["job", "list", "-o", "json", "--url", master.url]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2


def test_a_table_shows_the_columns_that_matter(master: Any, capsys: pytest.CaptureFixture[str]) -> None:
    executions = [{"ex_id": "e", "job_id": "j", "name": "x", "_status": "running", "other": "hidden"}]
    master.on("GET", "/ex", executions)
    assert exit_code_of(["ex", "list", "-o", "table", "--url", master.url]) == 0
    header, _, row = capsys.readouterr().out.splitlines()
    assert header.split()[:3] == ["ex_id", "name", "_status"]
    assert row.split() == ["e", "x", "running"]


def test_errors_show_the_last_line_of_a_traceback(master: Any, capsys: pytest.CaptureFixture[str]) -> None:
    text = 'Traceback (most recent call last):\n  File "x"\nValueError: bad \x1b[31mrecord\n'
    failed = {"slice_id": "s", "ex_id": "e", "slicer_id": 0, "slicer_order": 1, "state": "error"}
    master.on("GET", "/ex/e/errors", [{**failed, "request": "1", "error": text}])
    assert exit_code_of(["ex", "errors", "e", "-o", "table", "--url", master.url]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("ValueError: bad \\x1b[31mrecord")


def test_what_is_refused_has_its_exit_code(master: Any, capsys: pytest.CaptureFixture[str]) -> None:
    master.on("POST", "/ex/e/_pause", {"error": 409, "message": "it is over"}, status=409)
    assert exit_code_of(["ex", "pause", "e", "--url", master.url]) == 5
    assert capsys.readouterr().err == "Error: it is over\n"


def test_a_node_is_found_by_its_host(master: Any, capsys: pytest.CaptureFixture[str]) -> None:
    master.on("GET", "/cluster/state", {"n": NODE, "m": {**NODE, "node_id": "m", "hostname": "g"}})
    master.on("POST", "/nodes/n/_drain", {"draining": True})
    master.on("POST", "/nodes/m/_resume", {"draining": False})
    assert exit_code_of(["node", "drain", "h", "--url", master.url]) == 0
    assert json.loads(capsys.readouterr().out) == {"node_id": "n", "draining": True}
    assert exit_code_of(["node", "resume", "m", "-q", "--url", master.url]) == 0
    assert capsys.readouterr().out == "m\n"
    assert exit_code_of(["node", "drain", "nowhere", "--url", master.url]) == 4


def test_a_host_name_of_several_nodes_is_no_id(master: Any, capsys: pytest.CaptureFixture[str]) -> None:
    master.on("GET", "/cluster/state", {"n": NODE, "m": {**NODE, "node_id": "m"}})
    assert exit_code_of(["node", "drain", "h", "--url", master.url]) == 2
    assert "n, m" in capsys.readouterr().err


def test_uploads_a_file(master: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.zip").write_bytes(b"PK bytes")
    master.on("POST", "/assets", {"_id": ASSET, "asset_id": ASSET}, status=201)
    assert exit_code_of(["asset", "deploy", str(tmp_path / "x.zip"), "--url", master.url]) == 0
    assert master.requests == [("POST", "/assets?blocking=true", b"PK bytes")]
    assert json.loads(capsys.readouterr().out) == {"id": ASSET, "asset_id": ASSET, "is_new": True}


def test_a_drain_can_be_waited_for(
    master: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_drain, "LOOK_SECONDS", 0.001)
    worker = {"worker_id": 1, "assignment": "worker", "ex_id": "e"}
    busy = {"n": {**NODE, "active": [worker]}}
    master.on("POST", "/nodes/n/_drain", {"draining": True})
    master.on("GET", "/cluster/state", busy, busy, busy, {"n": NODE})
    assert exit_code_of(["node", "drain", "n", "--wait", "--url", master.url]) == 0
    assert json.loads(capsys.readouterr().out) == {"node_id": "n", "draining": True, "workers": 0}
    master.on("GET", "/cluster/state", busy)
    assert exit_code_of(["node", "drain", "n", "--wait", "--timeout", "20ms", "--url", master.url]) == 11
    assert json.loads(capsys.readouterr().out)["workers"] == 1
    assert exit_code_of(["node", "drain", "n", "--timeout", "20ms", "--url", master.url]) == 2
