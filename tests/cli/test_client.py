"""The API client: what a master answers, and what its failures become."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from sliceworks.cli.client import Counts, Submitted, call
from sliceworks.protocol.errors import (
    EXIT_CODE,
    ConflictError,
    Fault,
    InvalidError,
    NotFoundError,
    SliceworksError,
    UnavailableError,
)


def test_submits_a_job(master: Any) -> None:
    master.on("POST", "/jobs", {"job_id": "j", "ex_id": "e"})
    assert call(master.url, lambda api: api.submit(b"{}")) == Submitted("j", "e")
    assert master.requests == [("POST", "/jobs?start=true", b"{}")]


def test_a_job_that_is_not_started_has_no_execution(master: Any) -> None:
    master.on("POST", "/jobs", {"job_id": "j"})
    assert call(master.url, lambda api: api.submit(b"{}", start="false")) == Submitted("j", "")


def test_counts_are_added_up(master: Any) -> None:
    master.on("GET", "/ex/e/slices/_count", {"pending": 1, "start": 2, "completed": 3, "error": 4})
    counts = call(master.url, lambda api: api.counts("e"))
    assert counts == Counts(1, 2, 3, 4)
    assert (counts.made, counts.done) == (10, 7)


def test_waits_until_the_status_is_terminal(master: Any) -> None:
    master.on("GET", "/ex/e", {"_status": "pending"}, {"_status": "running"}, {"_status": "completed"})
    assert call(master.url, lambda api: api.wait_until_over("e")) == "completed"
    assert len(master.requests) == 3


def test_what_is_none_is_not_sent(master: Any) -> None:
    master.on("POST", "/ex/e/_workers", "5 workers have been add for execution: e")
    call(master.url, lambda api: api.post("/ex/e/_workers", add=5, remove=None))
    assert master.requests[0][1] == "/ex/e/_workers?add=5"


@pytest.mark.parametrize(
    ("status", "kind", "exit_code"),
    [(404, NotFoundError, 4), (409, ConflictError, 5), (503, UnavailableError, 7), (500, SliceworksError, 1)],
)
def test_an_error_status_is_an_error_with_its_message(
    master: Any, status: int, kind: type[SliceworksError], exit_code: int
) -> None:
    master.on("GET", "/ex/e", {"error": status, "message": "what happened"}, status=status)
    with pytest.raises(kind, match="what happened") as caught:
        call(master.url, lambda api: api.execution("e"))
    assert EXIT_CODE[caught.value.code] == exit_code


def test_a_refused_job_comes_with_its_faults(master: Any) -> None:
    faults = [{"path": "workers", "message": "must be at least 1"}]
    master.on("POST", "/jobs", {"error": 400, "message": "bad job", "faults": faults}, status=400)
    with pytest.raises(InvalidError) as caught:
        call(master.url, lambda api: api.submit(b"{}"))
    assert caught.value.faults == (Fault("workers", "must be at least 1"),)


def test_a_master_that_is_away_is_named_with_its_url() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(UnavailableError, match=f"{url} .Connection refused."):
        call(url, lambda api: api.execution("e"))


def test_what_is_no_master_is_told(master: Any) -> None:
    master.on("GET", "/ex/e", b"<html>hello</html>")
    with pytest.raises(UnavailableError, match="is it the URL of a Sliceworks master"):
        call(master.url, lambda api: api.execution("e"))


@pytest.mark.parametrize("url", ["", "elsewhere", "http://", "ftp://127.0.0.1"])
def test_what_is_no_url_is_told(url: str) -> None:
    with pytest.raises(UnavailableError):
        call(url, lambda api: api.execution("e"))
