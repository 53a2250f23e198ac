"""The lists as text over HTTP: which documents, which columns, and how they are cut."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest

from tests.master.played import JOB, PlayedMaster


async def text_of(master: PlayedMaster, path: str) -> str:
    async with master.client.get(path) as response:
        assert response.status == 200, await response.text()
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        return await response.text()


def cells(text: str) -> list[list[str]]:
    """Of tables whose cells have no gaps."""
    return [line.split() for line in text.splitlines()]


@pytest.mark.parametrize(
    ("path", "columns"),
    [
        ("/txt/jobs", "job_id name active lifecycle slicers workers _created _updated"),
        ("/v1/txt/jobs", "job_id name active lifecycle slicers workers _created _updated"),
        (
            "/txt/jobs?deleted=true",
            "job_id name active lifecycle slicers workers _created _updated _deleted_on",
        ),
        ("/txt/ex", "name lifecycle slicers workers _status ex_id job_id _created _updated"),
        (
            "/txt/ex?deleted=",
            "name lifecycle slicers workers _status ex_id job_id _created _updated _deleted_on",
        ),
        ("/txt/controllers", "name job_id workers_available workers_active failed queued processed"),
        ("/txt/slicers", "name job_id workers_available workers_active failed queued processed"),
    ],
)
async def test_what_has_no_rows_has_columns(master: PlayedMaster, path: str, columns: str) -> None:
    names, dashes, blank = (await text_of(master, path)).splitlines()
    assert names.split() == columns.split()
    assert [len(part) for part in dashes.split()] == [len(name) for name in columns.split()]
    assert blank == " " * len(names)


async def test_jobs_and_their_options(master: PlayedMaster) -> None:
    first = await master.submit({**JOB, "name": "one"}, start="false")
    await master.submit({**JOB, "name": "two", "active": False}, start="false")
    assert cells(await text_of(master, "/txt/jobs?fields=name,active,workers&sort=name:asc")) == [
        ["name", "active", "workers"],
        ["----", "------", "-------"],
        ["one", "N/A", "2"],
        ["two", "false", "2"],
    ]
    assert await text_of(master, "/txt/jobs?fields=name&headers=false&active=true") == "one\n"
    assert await text_of(master, "/txt/jobs?fields=name&headers=false&filter=active:false") == "two\n"
    await master.ask("DELETE", f"/jobs/{first['job_id']}")
    assert await text_of(master, "/txt/jobs?fields=name&headers=false") == "two\n"
    assert await text_of(master, "/txt/jobs?fields=name&headers=false&deleted=true") == "one\n"


async def test_executions_and_controllers(master: PlayedMaster) -> None:
    async with master.node():
        started = await master.submit()
        async with master.controller(started["ex_id"]) as controller:
            await controller.reports()
            await master.wait_status(started["ex_id"], "running")
            table = await text_of(
                master, "/txt/ex?fields=name,lifecycle,slicers,workers,_status,ex_id&headers=false"
            )
            assert cells(table) == [["played", "once", "1", "2", "running", started["ex_id"]]]
            assert await text_of(master, "/txt/ex?fields=_status&headers=false&status=failed") == "\n"
            table = await text_of(master, "/txt/controllers?headers=false")
            assert cells(table) == [["played", started["job_id"], "0", "0", "0", "0", "0"]]


async def test_workers_and_nodes(master: PlayedMaster) -> None:
    async with master.node("node-1") as node:
        started = await master.submit()
        async with master.controller(started["ex_id"]):
            await node.assigned(started["ex_id"])
            await node.runs(started["ex_id"], 2)
            await until_listed(master, "102")
            await check_workers(master, started)
            await check_nodes(master)


async def until_listed(master: PlayedMaster, pid: str) -> None:
    async with asyncio.timeout(10):
        while True:
            if [pid] in cells(await text_of(master, "/txt/workers?fields=pid")):
                return
            await asyncio.sleep(0.005)


async def check_workers(master: PlayedMaster, started: dict[str, str]) -> None:
    host = socket.gethostname()
    assert cells(await text_of(master, "/txt/workers?headers=false")) == [
        ["cluster_master", "N/A", "N/A", host, str(os.getpid())],
        ["execution_controller", started["job_id"], started["ex_id"], host, "4000001"],
        ["worker", started["job_id"], started["ex_id"], "node-1", "101"],
        ["worker", started["job_id"], started["ex_id"], "node-1", "102"],
    ]
    pids = "/txt/workers?fields=pid&headers=false&sort=pid:desc"
    assert cells(await text_of(master, f"{pids}&size=1")) == [["4000001"]]
    assert cells(await text_of(master, f"{pids}&from=3&size=4")) == [["101"]]
    assert cells(await text_of(master, f"{pids}&from=3&size=1")) == [[]]


async def check_nodes(master: PlayedMaster) -> None:
    table = await text_of(
        master, "/txt/nodes?fields=node_id,state,total,active&headers=false&sort=total:desc"
    )
    assert cells(table) == [["node-1", "connected", "4", "2"], [socket.gethostname(), "connected", "0", "2"]]


@pytest.mark.parametrize(
    "path",
    [
        "/txt/ex?size=abc",
        "/txt/ex?sort=bogus",
        "/txt/ex?filter=(",
        "/txt/ex?deleted=bogus",
        "/txt/jobs?deleted=bogus",
        "/txt/workers?from=-1",
        "/txt/nodes?sort=hostname:up",
        "/txt/workers?filter=pid:1",
    ],
)
async def test_bad_options(master: PlayedMaster, path: str) -> None:
    status, answer = await master.ask("GET", path)
    assert (status, answer["error"]) == (400, 400)
