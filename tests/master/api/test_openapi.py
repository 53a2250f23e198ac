"""`/openapi.json` says what the API does: every route, every option that is read, every answer."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from multidict import MultiDict
from openapi_spec_validator import OpenAPIV31SpecValidator

from sliceworks.master.api.context import BOUND
from sliceworks.master.api.openapi.document import plain
from sliceworks.protocol.messages import OperationTotals, SliceCounts, Statistics
from tests.master.api.described import Described, Document
from tests.master.played import JOB, PlayedMaster

RESULTS: dict[str, Any] = {
    "statistics": Statistics(processed=3, failed=1, started="2026-11-22T01:02:03.004Z"),
    "counts": SliceCounts(error=1, completed=2),
    "operations": [OperationTotals(0, 3, 10, 0, 30, 1_000)],
}
REFUSED = {"filter"}
"""Looked at by every list, and refused by those that have none."""


class ReadOptions(MultiDict[str]):
    """Query options that note which of them were looked at."""

    looked_at: set[str] = set()  # noqa: RUF012 - of the one request that is under way

    def get(self, key: str, default: Any = None) -> Any:
        self.looked_at.add(key)
        return super().get(key, default)

    def __getitem__(self, key: str) -> str:
        self.looked_at.add(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self.looked_at.add(str(key))
        return super().__contains__(key)

    def items(self) -> Any:
        self.looked_at.update(self.keys())
        return super().items()


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of all query options that handlers look at."""
    names: set[str] = set()
    monkeypatch.setattr(ReadOptions, "looked_at", names)
    monkeypatch.setattr(
        web.BaseRequest, "query", property(lambda request: ReadOptions(request.rel_url.query))
    )
    return names


async def ended_job(master: PlayedMaster) -> dict[str, str]:
    """One that ran and had errors."""
    ended = await master.submit({**JOB, "name": "ended"})
    async with master.controller(ended["ex_id"]) as controller:
        await controller.concludes("failed", failure="bad", **RESULTS)
        await master.wait_status(ended["ex_id"], "failed")
    master.processes.exited(ended["ex_id"])
    return ended


@asynccontextmanager
async def life(master: PlayedMaster) -> AsyncIterator[dict[str, dict[str, str]]]:
    """A job that runs, two that ended with errors, and two that never ran."""
    async with master.node() as node:
        ended, ended_too = await ended_job(master), await ended_job(master)
        runs = await master.submit({**JOB, "name": "runs", "workers": 1})
        idle, spare = await master.submit(start="false"), await master.submit(start="false")
        async with master.controller(runs["ex_id"]) as controller:
            await node.assigned(runs["ex_id"])
            await node.runs(runs["ex_id"], workers=1)
            await controller.reports(**RESULTS)
            await master.wait_status(runs["ex_id"], "running")
            yield {"runs": runs, "ended": ended, "ended too": ended_too, "idle": idle, "spare": spare}


def app_of(master: PlayedMaster) -> web.Application:
    server = master.client.server
    assert isinstance(server, TestServer)
    return server.app


async def document_of(master: PlayedMaster) -> Document:
    status, answer = await master.ask("GET", "/openapi.json")
    assert status == 200
    return Document(answer)


async def test_it_is_valid_openapi(master: PlayedMaster) -> None:
    document = await document_of(master)
    OpenAPIV31SpecValidator(document.document).validate()
    assert (await document_of(master)).document == (await master.ask("GET", "/v1/openapi.json"))[1]
    ids = [operation.told["operationId"] for operation in document.operations()]
    assert len(ids) == len(set(ids))


def shape(path: str) -> str:
    """Without the names of its parameters."""
    return re.sub(r"{\w+}", "{}", path)


async def test_paths_differ_in_more_than_the_names_of_their_parameters(master: PlayedMaster) -> None:
    paths = (await document_of(master)).document["paths"]
    assert len({shape(path) for path in paths}) == len(paths)


async def test_every_route_is_in_it(master: PlayedMaster) -> None:
    document = await document_of(master)
    told = {(operation.method, shape(operation.path)) for operation in document.operations()}
    assert told == {(route.method, shape(plain(route.path))) for route in app_of(master)[BOUND]}
    for operation in document.operations():
        assert operation.told["summary"], operation


async def test_nothing_is_served_that_is_not_in_it(master: PlayedMaster) -> None:
    told = {(route.method, plain(route.path).rstrip("/")) for route in app_of(master)[BOUND]}
    told |= {("HEAD", path) for method, path in told if method == "GET"}
    for route in app_of(master).router.routes():
        assert route.resource
        path = plain(route.resource.canonical).removeprefix("/v1").rstrip("/")
        if not path.startswith("/_"):  # what daemons and controllers use
            assert (route.method, path) in told


async def test_an_option_that_is_given_twice_is_refused(master: PlayedMaster) -> None:
    for query in ("size=1&size=1", "from=&from=2", "sort=name&size=1&sort=name"):
        status, answer = await master.ask("GET", f"/jobs?{query}")
        assert (status, answer["message"]) == (400, f"{query.partition('=')[0]} must be given once")
    assert (await master.ask("GET", "/jobs?other=1&other=2"))[0] == 200


async def test_a_list_that_has_no_filter_refuses_one(master: PlayedMaster) -> None:
    for operation in (await document_of(master)).operations():
        if "sort" in operation.options and "{" not in operation.path:
            async with master.client.get(operation.path, params={"filter": "x"}) as response:
                assert response.status == (200 if "filter" in operation.options else 400), operation.path


def requests_of(operation: Described) -> Iterator[dict[str, str]]:
    """A request with nothing but what must be given, and one with each option."""
    values = {name: _value(schema) for name, schema in operation.options.items()}
    must = {name: values[name] for name in operation.required}
    yield must
    for name, value in values.items():
        yield {**must, name: value}


def _value(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return str(schema["enum"][0])
    if "anyOf" in schema:
        return str(max(1, schema["anyOf"][0]["minimum"]))
    return str(schema.get("default", "x"))


def case_for(operation: Described) -> str:
    """In which life the operation can succeed."""
    if operation.path.endswith("/_recover"):
        return "ended" if operation.path.startswith("/ex") else "ended too"
    if operation.method == "DELETE":
        return "spare"
    if operation.path in ("/jobs/{job_id}/_start", "/jobs/{job_id}") and operation.method != "GET":
        return "idle"
    return "runs"


def order_of(operation: Described) -> tuple[bool, bool, str]:
    """What ends or deletes things comes last."""
    return (
        operation.method == "DELETE",
        operation.path.endswith(("_stop", "_start", "_recover")),
        operation.path,
    )


def a_zip(version: int) -> bytes:
    """An asset without operations."""
    body = BytesIO()
    with ZipFile(body, "w") as archive:
        archive.writestr("asset.json", json.dumps({"name": "empty", "version": f"{version}.0.0"}))
    return body.getvalue()


def sent_to(operation: Described, number: int) -> dict[str, Any]:
    """The body of the operation's request number so and so."""
    content = operation.told.get("requestBody", {}).get("content", {})
    if "application/json" in content:
        return {"json": JOB}
    media = {"Content-Type": "application/octet-stream"}
    return {"data": a_zip(number), "headers": media} if content else {}


def harmless(operation: Described, options: dict[str, str]) -> dict[str, str]:
    """Nothing that waits for processes, which are only played; one living job."""
    fixed = {"blocking": "false"} if operation.path.endswith("/_stop") else {}
    fixed |= {"start": "false"} if (operation.method, operation.path) == ("POST", "/jobs") else {}
    return {**options, **fixed}


def asset_named(operation: Described, asset_id: str) -> str:
    """Assets are listed by name and deleted by id, under one path."""
    return asset_id if operation.method == "DELETE" else "empty"


async def test_every_operation_answers_and_reads_as_it_says(
    master: PlayedMaster, looked_at: set[str]
) -> None:
    document = await document_of(master)
    async with life(master) as lives:
        asset_id = hashlib.sha1(a_zip(0)).hexdigest()
        for operation in sorted(document.operations(), key=order_of):
            looked_at.clear()
            ids = {**lives[case_for(operation)], "node_id": "node"}
            path = operation.path.format_map(
                {**ids, "name": asset_named(operation, asset_id), "version": "0.0.0"}
            )
            answers = []
            for number, options in enumerate(requests_of(operation)):
                given = {"params": harmless(operation, options), **sent_to(operation, number)}
                async with master.client.request(operation.method, path, **given) as response:
                    content = await response.read()
                    answers.append((response.status, content))
                    document.check(operation, response.status, response.headers["Content-Type"], content)
            assert looked_at - REFUSED == set(operation.options) - REFUSED, (operation.method, operation.path)
            assert min(status for status, _ in answers) < 300, (operation.method, operation.path, answers)
