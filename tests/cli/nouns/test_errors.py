"""`errors --follow`: every error once, until the execution is over."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from sliceworks.cli.main import exit_code_of
from sliceworks.cli.nouns import errors

Query = dict[str, str]


def failed(number: int, second: int = 0) -> dict[str, Any]:
    return {
        "slice_id": f"s{number}",
        "ex_id": "e",
        "slicer_id": 0,
        "slicer_order": number,
        "state": "error",
        "request": "{}",
        "error": "bad",
        "_updated": f"2026-11-22T03:00:{second:02}.{number % 1000:03}Z",
    }


class Shelf:
    """Errors as the API gives them: by the time of writing, those since a moment, at most 10,000 by place."""

    def __init__(self) -> None:
        self.written: list[dict[str, Any]] = []
        self.queries: list[Query] = []

    def answer(self, query: Query) -> list[dict[str, Any]]:
        self.queries.append(query)
        assert query["sort"] == "_updated:asc"
        start, size = int(query["from"]), int(query["size"])
        assert start + size <= 10_000
        since = re.search(r'_updated:\["(.*)" TO \*\]', query.get("filter", ""))
        found = [each for each in self.written if not since or each["_updated"] >= since[1]]
        return sorted(found, key=lambda each: str(each["_updated"]))[start : start + size]


def execution(status: str) -> dict[str, str]:
    return {"ex_id": "e", "job_id": "j", "_status": status}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "LOOK_SECONDS", 0.001)


def follow(master: Any, shelf: Shelf, *, looks: int, each: int) -> None:
    """At each look at the execution some more have failed, the even ones of them a second earlier."""

    seconds = iter(range(looks))

    def look(_query: Query) -> dict[str, str]:
        count, second = len(shelf.written), next(seconds)
        shelf.written += [failed(count + place, second + place % 2) for place in range(each)]
        return execution("failing" if second + 1 < looks else "failed")

    master.on("GET", "/jobs/j/ex", execution("running"))
    master.on("GET", "/ex/e", look)
    master.on("GET", "/ex/e/errors", shelf.answer)


@pytest.mark.parametrize(("looks", "each"), [(1, 0), (1, 7), (20, 7), (3, 999), (3, 1000), (3, 4001)])
def test_follows_to_the_end(master: Any, capsys: pytest.CaptureFixture[str], looks: int, each: int) -> None:
    shelf = Shelf()
    follow(master, shelf, looks=looks, each=each)
    assert exit_code_of(["job", "errors", "j", "--follow", "--url", master.url]) == 0
    found = [json.loads(line)["slice_id"] for line in capsys.readouterr().out.splitlines()]
    assert len(found) == looks * each
    assert set(found) == {f"s{number}" for number in range(looks * each)}


def test_a_filter_stays(master: Any) -> None:
    shelf = Shelf()
    follow(master, shelf, looks=10, each=7)
    assert exit_code_of(["ex", "errors", "e", "-f", "--filter", "error:bad", "--url", master.url]) == 0
    assert shelf.queries[0]["filter"] == "error:bad"
    assert shelf.queries[-1]["filter"].startswith('(error:bad) AND _updated:["2026-11-22T03:00:0')


def test_a_master_that_is_restarted_is_waited_for(master: Any, capsys: pytest.CaptureFixture[str]) -> None:
    gone = (503, {"error": 503, "message": "starting"})
    master.answers["GET", "/ex/e"] = [(200, execution("failing")), gone, gone, (200, execution("failed"))]
    shelf = Shelf()
    shelf.written = [failed(1), failed(2)]
    master.on("GET", "/ex/e/errors", shelf.answer)
    assert exit_code_of(["ex", "errors", "e", "-f", "-q", "--url", master.url]) == 0
    assert capsys.readouterr().out == "s1\ns2\n"


@pytest.mark.parametrize(
    ("time", "earlier"),
    [
        ("", ""),
        ("2026-11-22T03:00:02.005Z", "2026-11-22T02:59:57.005Z"),
        ("2026-01-01T00:00:00.000Z", "2025-12-31T23:59:55.000Z"),
    ],
)
def test_times(time: str, earlier: str) -> None:
    assert errors.before(time, 5) == earlier


def test_lines_on_a_terminal(master: Any, capsys: pytest.CaptureFixture[str]) -> None:
    master.on("GET", "/ex/e", execution("failed"))
    master.on("GET", "/ex/e/errors", [failed(1)])
    assert exit_code_of(["ex", "errors", "e", "-f", "-o", "table", "--url", master.url]) == 0
    assert capsys.readouterr().out.split() == ["s1", "e", "1", "bad"]
    assert exit_code_of(["ex", "errors", "e", "-f", "-q", "--url", master.url]) == 0
    assert capsys.readouterr().out == "s1\n"
