"""One master's API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from typing import Final, TypeVar

import aiohttp

from sliceworks.cli.client.assets import Assets
from sliceworks.cli.client.cluster import Cluster
from sliceworks.cli.client.documents import Execution
from sliceworks.cli.client.executions import Executions
from sliceworks.cli.client.jobs import Jobs
from sliceworks.cli.client.transport import Transport, base_url
from sliceworks.cli.client.waiting import ends

T = TypeVar("T")

DEFAULT_URL: Final = "http://127.0.0.1:5678"


class Client:
    """The API at one URL, by what it is about; connections are kept between calls.

    Every failure is one of the errors of `sliceworks.protocol.errors`: UnavailableError if the master cannot
    be reached, otherwise what its HTTP status says, with the master's text.
    """

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        transport = Transport(base_url(url), session)
        self.url = transport.url
        self.jobs = Jobs(transport)
        self.executions = Executions(transport)
        self.assets = Assets(transport)
        self.cluster = Cluster(transport)

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str = DEFAULT_URL) -> AsyncIterator[Client]:
        """The API at `url`; nothing is sent yet.  InvalidError if it is no URL."""
        async with aiohttp.ClientSession() as session:
            yield cls(url, session)

    async def wait(self, ex_id: str) -> Execution:
        """The execution, when it is over.  Put it under `asyncio.timeout` to wait for a while only."""
        async with aclosing(ends(self.executions, [ex_id])) as ending:
            return await anext(ending)

    def wait_each(self, ex_ids: Iterable[str]) -> AsyncGenerator[Execution, None]:
        """Each execution when it is over, in the order in which they end."""
        return ends(self.executions, ex_ids)


def call(url: str, work: Callable[[Client], Awaitable[T]]) -> T:
    """Do `work` with the API at `url`, from a command that is no coroutine."""

    async def connected() -> T:
        async with Client.open(url) as client:
            return await work(client)

    return asyncio.run(connected())
