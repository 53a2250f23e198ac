"""Waiting: until the end, through a restart of the master, no longer than asked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sliceworks.cli.client import Client
from sliceworks.protocol.errors import NotFoundError, UnavailableError


def execution(ex_id: str, status: str) -> dict[str, str]:
    return {"ex_id": ex_id, "job_id": "j", "_status": status}


async def test_waits_until_the_status_is_terminal(master: Any) -> None:
    master.on("GET", "/ex/e", *(execution("e", status) for status in ("pending", "running", "completed")))
    async with Client.open(master.url) as client:
        assert (await client.wait("e")).status == "completed"
    assert len(master.requests) == 3


async def test_each_comes_when_it_ends(master: Any) -> None:
    master.on("GET", "/ex/a", execution("a", "running"), execution("a", "running"), execution("a", "failed"))
    master.on("GET", "/ex/b", execution("b", "stopped"))
    async with Client.open(master.url) as client:
        ended = [(found.ex_id, found.status) async for found in client.wait_each(["a", "b", "a"])]
    assert ended == [("b", "stopped"), ("a", "failed")]
    assert len(master.requests) == 4


async def test_a_master_that_is_restarted_is_waited_for(master: Any) -> None:
    master.on("GET", "/ex/e", execution("e", "running"))
    master.answers["GET", "/ex/e"] += [
        (503, {"error": 503, "message": "starting"}),
        (200, execution("e", "completed")),
    ]
    async with Client.open(master.url) as client:
        assert (await client.wait("e")).status == "completed"


async def test_a_master_that_was_never_there_is_not(master: Any) -> None:
    master.on("GET", "/ex/e", {"error": 503, "message": "starting"}, status=503)
    async with Client.open(master.url) as client:
        with pytest.raises(UnavailableError):
            await client.wait("e")


async def test_what_does_not_exist_is_not_waited_for(master: Any) -> None:
    async with Client.open(master.url) as client:
        with pytest.raises(NotFoundError):
            await client.wait("e")


async def test_can_be_given_up(master: Any) -> None:
    master.on("GET", "/ex/e", execution("e", "running"))
    async with Client.open(master.url) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.wait("e")
