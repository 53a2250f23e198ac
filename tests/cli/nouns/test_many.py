"""Commands for many ids: where the ids come from, in which order results come, what the exit code is."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest

from sliceworks.cli.main import exit_code_of
from sliceworks.cli.nouns.many import code_of_all


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a text on stdin."""

    def put(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))

    return put


@pytest.mark.parametrize(
    ("codes", "code"), [([], 0), ([0, 0], 0), ([0, 4], 3), ([4, 4], 4), ([4, 5], 1), ([0, 10, 12], 3)]
)
def test_the_exit_code_of_many_parts(codes: list[int], code: int) -> None:
    assert code_of_all(codes) == code


def test_results_come_in_the_order_of_the_ids(master: Any, capsys: pytest.CaptureFixture[str]) -> None:
    ids = [str(number) for number in range(20)]
    for each in ids:
        master.on("POST", f"/ex/{each}/_pause", {"status": "paused"})
    assert exit_code_of(["ex", "pause", *ids, "--url", master.url]) == 0
    assert [json.loads(line)["ex_id"] for line in capsys.readouterr().out.splitlines()] == ids


def test_what_fails_does_not_keep_the_others(master: Any, capsys: pytest.CaptureFixture[str]) -> None:
    master.on("POST", "/ex/a/_pause", {"status": "paused"})
    master.on("POST", "/ex/b/_pause", {"error": 409, "message": "it is over"}, status=409)
    master.on("POST", "/ex/c/_pause", {"status": "paused"})
    assert exit_code_of(["ex", "pause", "a", "b", "c", "--url", master.url]) == 3
    told = capsys.readouterr()
    assert [json.loads(line)["ex_id"] for line in told.out.splitlines()] == ["a", "c"]
    assert told.err == "Error: b: it is over\n"


def test_a_master_that_is_away_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(["ex", "pause", "a", "b", "c", "--url", "http://127.0.0.1:1"]) == 7
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_ids_come_from_stdin(master: Any, say: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for each in ("a", "b", "c"):
        master.on("POST", f"/jobs/{each}/_pause", {"status": "paused"})
    say('a\n\n {"name": "x", "job_id": "b"}\na\n')
    assert exit_code_of(["job", "pause", "c", "-", "-q", "--url", master.url]) == 0
    assert capsys.readouterr().out == "c\na\nb\n"


@pytest.mark.parametrize("text", ["", "\n", '{"name": 1}\n', '{"job_id": 1}\n', "{x\n"])
def test_a_stdin_without_ids_is_a_usage_error(master: Any, say: Any, text: str) -> None:
    say(text)
    assert exit_code_of(["job", "pause", "-", "--url", master.url]) == 2
    assert master.requests == []
