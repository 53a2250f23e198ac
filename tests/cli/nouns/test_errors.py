"""`errors --follow`: every error once, until the execution is over."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sliceworks.cli.main import exit_code_of
from sliceworks.cli.nouns import errors

Query = dict[str, str]


def failed(number: int) -> dict[str, Any]:
    return {
        "slice_id": f"s{number}",
        "ex_id": "e",
        "slicer_id": 0,
        "slicer_order": number,
        "state": "error",
        "request": "{}",
        "error": "bad",
    }


def execution(status: str) -> dict[str, str]:
    return {"ex_id": "e", "job_id": "j", "_status": status}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "LOOK_SECONDS", 0.001)


@pytest.mark.parametrize("overlap", [0, 3, 1000])
@pytest.mark.parametrize("page", [1, 4, 1000])
def test_follows_to_the_end(
    master: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, page: int, overlap: int
) -> None:
    monkeypatch.setattr(errors, "PAGE", page)
    monkeypatch.setattr(errors, "OVERLAP", overlap)
    written: list[dict[str, Any]] = []

    def answer(query: Query) -> list[dict[str, Any]]:
        start, size = int(query["from"]), int(query["size"])
        return written[start : start + size]

    def look(_query: Query) -> dict[str, str]:
        written.extend(failed(len(written)) for _ in range(7))
        return execution("failing" if len(written) < 70 else "failed")

    master.on("GET", "/jobs/j/ex", execution("running"))
    master.on("GET", "/ex/e", look)
    master.on("GET", "/ex/e/errors", answer)
    assert exit_code_of(["job", "errors", "j", "--follow", "--url", master.url]) == 0
    found = [json.loads(line)["slice_id"] for line in capsys.readouterr().out.splitlines()]
    assert found == [f"s{number}" for number in range(70)]


def test_lines_on_a_terminal(master: Any, capsys: pytest.CaptureFixture[str]) -> None:
    master.on("GET", "/ex/e", execution("failed"))
    master.on("GET", "/ex/e/errors", [failed(1)])
    assert exit_code_of(["ex", "errors", "e", "-f", "-o", "table", "--url", master.url]) == 0
    assert capsys.readouterr().out.split() == ["s1", "e", "1", "bad"]
    assert exit_code_of(["ex", "errors", "e", "-f", "-q", "--url", master.url]) == 0
    assert capsys.readouterr().out == "s1\n"
