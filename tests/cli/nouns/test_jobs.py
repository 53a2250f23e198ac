"""Jobs from files and stdin; what an update changes; what `--dry-run` says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sliceworks.cli.main import exit_code_of
from sliceworks.cli.nouns.job_changes import job_changes
from sliceworks.cli.nouns.job_texts import jobs_in
from sliceworks.protocol.errors import InvalidError


def texts(data: bytes) -> list[tuple[bytes, str]]:
    return [(job.text, job.label) for job in jobs_in(data, "f")]


def test_jobs_are_taken_as_they_are_written() -> None:
    assert texts(b'\n{"a":  1}\n') == [(b'{"a":  1}', "f")]
    assert texts(b'{"a": 1}\n{"b":\n 2}{}') == [
        (b'{"a": 1}', "f, job 1"),
        (b'{"b":\n 2}', "f, job 2"),
        (b"{}", "f, job 3"),
    ]
    assert texts(b'[{"a": 1}]') == [(b'{"a": 1}', "f")]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "has no job"),
        (b"[]", "has no job"),
        (b'{\n  "name": x}', "line 2, column 11"),
        (b'{}\n{"a" 1}', "line 2, column 6"),
        (b"\xff{}", "not UTF-8: byte 0"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(data: bytes, told: str) -> None:
    with pytest.raises(InvalidError, match=told):
        jobs_in(data, "f")


def test_submits_a_file(master: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "job.json").write_text('{"name": "x"}')
    master.on("POST", "/jobs", {"job_id": "j", "ex_id": "e"})
    assert exit_code_of(["job", "submit", str(tmp_path / "job.json"), "--url", master.url]) == 0
    assert master.requests == [("POST", "/jobs?start=true", b'{"name": "x"}')]
    assert json.loads(capsys.readouterr().out) == {"job_id": "j", "ex_id": "e"}


def test_submits_many_jobs_of_a_file(master: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "jobs").write_text('{"name": "x"}\n{"name": "y"}\n')
    master.on("POST", "/jobs", {"job_id": "j"})
    assert (
        exit_code_of(["job", "submit", "--no-start", "-q", str(tmp_path / "jobs"), "--url", master.url]) == 0
    )
    assert [body for _, _, body in master.requests] == [b'{"name": "x"}', b'{"name": "y"}']
    assert capsys.readouterr().out == "j\nj\n"


def test_the_job_that_is_refused_is_named(
    master: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "jobs").write_text("{}\n{}\n")
    faults = [{"path": "operations", "message": "is missing"}]
    master.on("POST", "/jobs", {"error": 400, "message": "bad - x", "faults": faults}, status=400)
    assert exit_code_of(["job", "submit", str(tmp_path / "jobs"), "--url", master.url]) == 2
    first, fault, *_ = capsys.readouterr().err.splitlines()
    assert first.endswith("jobs, job 1: bad")
    assert fault == "  operations: is missing"


def test_a_file_that_is_not_json_is_not_sent(master: Any, tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text('{\n  "name": x}')
    assert exit_code_of(["job", "submit", str(tmp_path / "job.json"), "--url", master.url]) == 2
    assert master.requests == []


def test_changes_are_told_path_by_path() -> None:
    before = {"job_id": "j", "_created": "c", "a": 1, "b": [{"c": 1}, 2], "d": {"e": 1}, "f": True}
    after = {"a": 1, "b": [{"c": 2}], "d": {"e": 1, "g": None}, "f": 1}
    changes = [change.document() for change in job_changes(before, after)]
    assert changes == [
        {"path": "b.0.c", "before": 1, "after": 2},
        {"path": "b.1", "before": 2},
        {"path": "d.g", "after": None},
        {"path": "f", "before": True, "after": 1},
    ]
    assert [line for change in job_changes({"a": 1}, {"b": 2}) for line in change.lines()] == [
        "- a: 1",
        "+ b: 2",
    ]


def test_an_update_can_be_looked_at_first(
    master: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "job.json").write_text('{"name": "y"}')
    arguments = ["job", "update", "j", str(tmp_path / "job.json"), "--url", master.url]
    master.on("GET", "/jobs/j", {"job_id": "j", "name": "x"})
    master.on("PUT", "/jobs/j", {"job_id": "j", "name": "y"})
    assert exit_code_of([*arguments, "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out)["changes"] == [{"path": "name", "before": "x", "after": "y"}]
    assert {method for method, _, _ in master.requests} == {"GET"}
    assert exit_code_of([*arguments, "-o", "table"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ['- name: "x"', '+ name: "y"']
    assert master.requests[-1] == ("PUT", "/jobs/j", b'{"name": "y"}')


NEVER = {"error": 404, "message": "No execution was found for job j"}


@pytest.mark.parametrize(
    ("job", "latest", "code"),
    [
        ({}, {"_status": "completed"}, 0),
        ({}, None, 0),
        ({}, {"_status": "running"}, 5),
        ({"_deleted": True}, None, 5),
    ],
)
def test_a_delete_can_be_tried_first(master: Any, job: Any, latest: Any, code: int) -> None:
    master.on("GET", "/jobs/j", {"job_id": "j", "name": "x", **job})
    if latest:
        master.on("GET", "/jobs/j/ex", {"ex_id": "e", "job_id": "j", **latest})
    else:
        master.on("GET", "/jobs/j/ex", NEVER, status=404)
    assert exit_code_of(["job", "delete", "j", "--dry-run", "--url", master.url]) == code
    assert {method for method, _, _ in master.requests} == {"GET"}


ASSET = "a" * 40
OTHERS: list[tuple[list[str], dict[str, Any]]] = [
    (["ex", "stop", "e", "--force"], {"would": "kill", "slices_in_hand": 2}),
    (["job", "stop", "j"], {"would": "stop"}),
    (["ex", "workers", "e", "--remove", "1"], {"workers": 3, "would_have": 2}),
    (["node", "drain", "n"], {"would": "drain", "workers": 1, "executions": ["e"]}),
    (["asset", "delete", ASSET], {"would": "delete", "used_by": ["e"]}),
]


@pytest.mark.parametrize(("arguments", "said"), OTHERS)
def test_nothing_is_done_with_dry_run(
    master: Any, capsys: pytest.CaptureFixture[str], arguments: list[str], said: dict[str, Any]
) -> None:
    execution = {"ex_id": "e", "job_id": "j", "_status": "running", "workers": 3, "assets": [ASSET]}
    process = {"worker_id": 1, "assignment": "worker", "ex_id": "e"}
    node = {"node_id": "n", "hostname": "h", "state": "connected", "total": 2, "active": [process]}
    master.on("GET", "/ex/e", execution)
    master.on("GET", "/ex", [execution])
    master.on("GET", "/jobs/j/ex", execution)
    master.on("GET", "/ex/e/slices/_count", {"pending": 1, "start": 2, "completed": 3, "error": 4})
    master.on("GET", "/cluster/state", {"n": node})
    master.on("GET", "/assets", [{"id": ASSET, "name": "x", "version": "1.0.0"}])
    assert exit_code_of([*arguments, "--dry-run", "--url", master.url]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["dry_run"] is True
    assert {name: document[name] for name in said} == said
    assert {method for method, _, _ in master.requests} == {"GET"}
