"""Fetching an asset from a master over HTTP: what is right, what is wrong for good, and what may pass."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from sliceworks.worker.asset_fetch import AssetDelayError, AssetError, Fetcher

CONTENT = b"zip" * 100_000
ASSET = hashlib.sha1(CONTENT, usedforsecurity=False).hexdigest()
OTHER = "f" * 40


class Master:
    """Answers as it is told."""

    def __init__(self) -> None:
        self.status = 200
        self.promised = len(CONTENT)
        self.url = URL()

    async def give(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=self.status, headers={"Content-Length": str(self.promised)})
        await response.prepare(request)
        await response.write(CONTENT)
        if self.promised > len(CONTENT) and request.transport:
            request.transport.close()
        return response


@pytest.fixture
async def master() -> AsyncIterator[Master]:
    fake = Master()
    app = web.Application()
    app.router.add_get("/_assets/{name}", fake.give)
    async with TestServer(app) as server:
        fake.url = server.make_url("/")
        yield fake


@pytest.fixture
def fetch(session: aiohttp.ClientSession, master: Master) -> Fetcher:
    return Fetcher(session, master.url, limit_bytes=1_000_000)


async def test_the_bytes_are_those_of_the_id(fetch: Fetcher, tmp_path: Path) -> None:
    await fetch(ASSET, tmp_path / "zip")
    assert (tmp_path / "zip").read_bytes() == CONTENT


async def test_other_bytes_are_refused(fetch: Fetcher, tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=f"asset {OTHER} came from the master with the digest {ASSET}"):
        await fetch(OTHER, tmp_path / "zip")


@pytest.mark.parametrize("status", [404, 410])
async def test_what_the_master_does_not_have_is_gone(
    fetch: Fetcher, master: Master, tmp_path: Path, status: int
) -> None:
    master.status = status
    with pytest.raises(AssetError, match=f"the master does not have asset {ASSET}"):
        await fetch(ASSET, tmp_path / "zip")


@pytest.mark.parametrize("status", [500, 502, 503, 429])
async def test_trouble_of_the_master_may_pass(
    fetch: Fetcher, master: Master, tmp_path: Path, status: int
) -> None:
    master.status = status
    with pytest.raises(AssetDelayError, match=f"status {status}"):
        await fetch(ASSET, tmp_path / "zip")


async def test_a_connection_that_breaks_may_be_better_next_time(
    fetch: Fetcher, master: Master, tmp_path: Path
) -> None:
    master.promised = len(CONTENT) + 1
    with pytest.raises(AssetDelayError, match=f"asset {ASSET} cannot be fetched from"):
        await fetch(ASSET, tmp_path / "zip")


async def test_a_master_that_is_away_may_come_back(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    fetch = Fetcher(session, URL("http://127.0.0.1:1"), limit_bytes=1)
    with pytest.raises(AssetDelayError, match=r"cannot be fetched from http://127\.0\.0\.1:1"):
        await fetch(ASSET, tmp_path / "zip")


async def test_what_is_too_large_is_cut_off(
    session: aiohttp.ClientSession, master: Master, tmp_path: Path
) -> None:
    fetch = Fetcher(session, master.url, limit_bytes=1_000)
    with pytest.raises(AssetError, match="more than 1000 bytes"):
        await fetch(ASSET, tmp_path / "zip")
