"""Every curl line of the seed document, sent to a cluster in the state that it is about.

An answer has at least the keys of the example, with values of the same types; what an example says in words,
and the status it shows, must be the same.
"""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.api_contract.bundle import make_bundle
from tests.api_contract.seed_examples import Example, read_examples
from tests.api_contract.stages import Case, Running, submitted
from tests.api_contract.work import Job, busy, done

EXAMPLES = read_examples()
State = Callable[[Running], str]
"""Makes the state that a line is about; returns the id in its path."""

WORDS = ("status", "message")
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def example_job() -> Job:
    """The seed's, with a reader, and work for a while."""
    return {**busy(ms=700, slices=80), "name": "Example"}


def nothing(_: Running) -> str:
    return ""


def started(running: Running, job: Job | None = None) -> Case:
    """At work, all slices made."""
    case = submitted(running.cluster, job or example_job(), "running")
    cluster = running.cluster

    def is_made() -> bool:
        controllers = cluster.get(f"/ex/{case.ex}/controller")
        return cluster.status(case.ex) == "running" and "queuing_complete" in controllers[0]

    cluster.eventually(is_made, "all slices are made", seconds=30)
    return case


def running_job(running: Running) -> str:
    return started(running).job


def running_execution(running: Running) -> str:
    return started(running).ex


def paused(running: Running) -> Case:
    case = started(running)
    running.cluster.post(f"/ex/{case.ex}/_pause")
    return case


def completed(running: Running) -> Case:
    return running.completed(1)[0]


def failed(running: Running) -> Case:
    return running.failed(1)[0]


def only_running(running: Running) -> str:
    """Stop the others: the list holds those of the example's kind only."""
    for execution in running.cluster.get("/ex", status="running,paused"):
        running.cluster.post(f"/ex/{execution['ex_id']}/_stop", force="true")
    return running_execution(running)


def never_run(running: Running) -> str:
    job: str = running.cluster.post("/jobs", {**done(), "name": "Example"}, start="false")["job_id"]
    return job


def asset(running: Running) -> str:
    """One that no job uses."""
    reply = running.cluster.request("POST", "/assets", make_bundle(version="9.0.0"))
    return str(reply.body["asset_id"])


def some_assets(running: Running) -> str:
    for version in ("1.1.0", "1.2.0"):
        running.cluster.request("POST", "/assets", make_bundle(version=version))
    return ""


def job_of_asset(running: Running) -> str:
    running.cluster.request("POST", "/assets", make_bundle())
    case = submitted(running.cluster, {**example_job(), "assets": ["contract"]}, "running")
    running.cluster.wait_status(case.ex, "running")
    return case.job


STATES: dict[str, State] = {
    "GET /v1": nothing,
    "GET /v1/cluster/state": nothing,
    "GET /v1/cluster/controllers": running_job,
    "GET /v1/cluster/stats": nothing,
    "GET /cluster/stats": nothing,
    "GET /v1/assets": some_assets,
    "POST /v1/assets": nothing,
    "DELETE /assets/{id}": asset,
    "POST /v1/jobs": nothing,
    "GET /v1/jobs": never_run,
    "GET /v1/jobs/{id}": never_run,
    "GET /v1/jobs/{id}?ex=assets,_status": job_of_asset,
    "PUT /v1/jobs/{id}": never_run,
    "GET /v1/jobs/{id}/ex": lambda running: completed(running).job,
    "POST /v1/jobs/{id}/_start": never_run,
    "POST /v1/jobs/{id}/_stop": lambda running: completed(running).job,
    "POST /v1/jobs/{id}/_stop?force=true": lambda running: failed(running).job,
    "POST /v1/jobs/{id}/_pause": running_job,
    "POST /v1/jobs/{id}/_resume": lambda running: paused(running).job,
    "POST /v1/jobs/{id}/_recover?cleanup_type=errors": lambda running: failed(running).job,
    "POST /v1/jobs/{id}/_workers?add=5": running_job,
    "POST /v1/jobs/{id}/_active": never_run,
    "POST /v1/jobs/{id}/_inactive": never_run,
    "GET /v1/jobs/{id}/controller": running_job,
    "GET /v1/jobs/{id}/errors": lambda running: failed(running).job,
    "DELETE /v1/jobs/{id}": lambda running: completed(running).job,
    "GET /v1/ex?status=running&size=10": only_running,
    "GET /v1/ex/{id}": lambda running: completed(running).ex,
    "GET /v1/ex/errors": lambda running: failed(running).ex,
    "GET /v1/ex/{id}/errors": lambda running: failed(running).ex,
    "POST /v1/ex/{id}/_stop": running_execution,
    "POST /v1/ex/{id}/_stop?force=true": lambda running: failed(running).ex,
    "POST /v1/ex/{id}/_pause": running_execution,
    "POST /v1/ex/{id}/_resume": lambda running: paused(running).ex,
    "POST /v1/ex/{id}/_recover?cleanup_type=errors": lambda running: failed(running).ex,
    "POST /v1/ex/{id}/_workers?add=5": running_execution,
    "GET /v1/ex/{id}/controller": running_execution,
}


def test_every_curl_line_is_replayed(capsys: pytest.CaptureFixture[str]) -> None:
    lines = (Path(__file__).with_name("seed.txt")).read_text().count("curl ")
    with capsys.disabled():
        print(f"\n{len(EXAMPLES)} curl lines of the seed")
    assert len(EXAMPLES) == lines
    assert sorted(STATES) == sorted(example.name for example in EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"line {example.line}, {example.name}")
def test_the_answer_is_like_the_example(example: Example, running: Running) -> None:
    path = example.path.replace("{id}", STATES[example.name](running))
    files = {
        "": None,
        "job.json": json.dumps(example_job()).encode(),
        "zipFile.zip": make_bundle(version="3.0.0"),
    }
    status, answer = replay(running.cluster.port, example, path=path, body=files[example.body])
    assert status == (201 if example.name == "POST /v1/assets" else 200), answer
    if example.shown.startswith("#"):
        assert _metrics(answer) == [*_metrics(example.shown), "# EOF"]
        return
    shown, got = example.json, json.loads(answer)
    if example.name.endswith("/cluster/state"):
        shown, got = [*shown.values()], [*got.values()]  # by node
    assert not list(unlike(shown, got)), f"{got}"


def replay(port: int, example: Example, *, path: str, body: bytes | None) -> tuple[int, str]:
    """Send what curl would."""
    connection = http.client.HTTPConnection("localhost", port, timeout=60)
    try:
        connection.request(example.method, path, body, example.headers)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def unlike(shown: Any, got: Any, where: str = "") -> list[str]:
    """Where keys are missing or types differ; every item of a list is like the example's first."""
    match shown, got:
        case dict(), dict():
            missing = [f"{where}.{key} is missing" for key in shown if key not in got]
            pairs = [(key, shown[key], got[key]) for key in shown if key in got]
            return missing + [
                each for key, one, other in pairs for each in unlike(one, other, f"{where}.{key}")
            ]
        case [first, *_], [_, *_]:
            return [
                each for place, item in enumerate(got) for each in unlike(first, item, f"{where}[{place}]")
            ]
        case str(), str() if where == "" or where.removeprefix(".") in WORDS:
            one, other = (ID.sub("<id>", text) for text in (shown, got))
            return [] if one == other else [f"{where or 'it'} is {got!r}, not {shown!r}"]
    return [] if type(shown) is type(got) else [f"{where} is {got!r}, not like {shown!r}"]


def _metrics(text: str) -> list[str]:
    """The lines without the name of the cluster and the numbers."""
    return [re.sub(r'"[^"]*"\} \S+$', "", line) for line in text.splitlines() if line]
