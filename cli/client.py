"""The HTTP API of a master, typed.

Every failure becomes one of the errors of `protocol/errors.py`, whose code decides the exit code of the
command: a master that does not answer is `UnavailableError`, what it refuses is what its HTTP status says,
with its message and faults.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import aiohttp
import orjson

from sliceworks.protocol.errors import (
    ConflictError,
    Fault,
    GoneError,
    InvalidError,
    NotFoundError,
    SliceworksError,
    TooLargeError,
    UnavailableError,
    UnprocessableError,
)
from sliceworks.protocol.states import TERMINAL_STATUSES, ExecutionStatus

T = TypeVar("T")
Document = dict[str, Any]

CONNECT_SECONDS: Final = 10
POLL_SECONDS: Final = (0.05, 1.0)  # the first wait between two looks at a status, and the longest

_ERRORS: Final[Mapping[int, type[SliceworksError]]] = {
    404: NotFoundError,
    405: NotFoundError,
    409: ConflictError,
    410: GoneError,
    413: TooLargeError,
    422: UnprocessableError,
    503: UnavailableError,
}


@dataclass(frozen=True, slots=True)
class Submitted:
    """What the master made of a job; `ex_id` is empty when it was not started."""

    job_id: str
    ex_id: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How many slices of an execution are in each state."""

    pending: int
    start: int
    completed: int
    error: int

    @property
    def made(self) -> int:
        """All slices there are by now."""
        return self.pending + self.start + self.completed + self.error

    @property
    def done(self) -> int:
        """Those that are over."""
        return self.completed + self.error


class Api:
    """One master's API; the connection is kept between calls."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url.rstrip("/")
        self._session = session

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator[Api]:
        """The API at `url`; nothing is sent yet."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            yield cls(url, session)

    async def get(self, path: str, **query: object) -> Any:
        """The JSON that `path` answers."""
        return await self._send("GET", path, query=query)

    async def post(self, path: str, **query: object) -> Any:
        """The same for a verb; nothing is sent as its body."""
        return await self._send("POST", path, query=query)

    async def submit(self, job: bytes, *, start: str = "true") -> Submitted:
        """Store a job, given as JSON text, and start it unless `start` is "false"."""
        answer = await self._send("POST", "/jobs", query={"start": start}, body=job)
        return Submitted(answer["job_id"], answer.get("ex_id", ""))

    async def execution(self, ex_id: str) -> Document:
        """The execution document."""
        document: Document = await self.get(f"/ex/{ex_id}")
        return document

    async def latest_execution(self, job_id: str) -> Document:
        """The newest execution of a job."""
        document: Document = await self.get(f"/jobs/{job_id}/ex")
        return document

    async def counts(self, ex_id: str) -> Counts:
        """The slices of an execution by state."""
        return Counts(**await self.get(f"/ex/{ex_id}/slices/_count"))

    async def nodes(self) -> list[Document]:
        """The entries of the cluster state."""
        state: Mapping[str, Document] = await self.get("/cluster/state")
        return list(state.values())

    async def wait_until_over(self, ex_id: str) -> ExecutionStatus:
        """The terminal status of an execution, once it has one."""
        wait, longest = POLL_SECONDS
        while True:
            status = ExecutionStatus((await self.execution(ex_id))["_status"])
            if status in TERMINAL_STATUSES:
                return status
            await asyncio.sleep(wait)
            wait = min(wait * 1.5, longest)

    async def _send(
        self, method: str, path: str, *, query: Mapping[str, object], body: bytes | None = None
    ) -> Any:
        given = {key: str(value) for key, value in query.items() if value is not None}
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            async with self._session.request(
                method, self.url + path, params=given, data=body, headers=headers
            ) as response:
                return _answer(response.status, await response.read(), f"{method} {self.url}{path}")
        except (aiohttp.ClientConnectionError, aiohttp.InvalidURL, TimeoutError) as error:
            raise _unreachable(self.url, error) from error
        except aiohttp.ClientError as error:
            message = f"what answers at {self.url} is no Sliceworks master: {error}"
            raise UnavailableError(message) from error


def call(url: str, work: Callable[[Api], Awaitable[T]]) -> T:
    """Do `work` with the API at `url`, from a command that is no coroutine."""

    async def connected() -> T:
        async with Api.open(url) as api:
            return await work(api)

    return asyncio.run(connected())


def _answer(status: int, body: bytes, request: str) -> Any:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        message = f"{request} answered {status} and no JSON: is it the URL of a Sliceworks master?"
        raise UnavailableError(message) from error
    if status < 400:
        return answer
    raise _refused(status, answer if isinstance(answer, dict) else {}, request)


def _refused(status: int, answer: Document, request: str) -> SliceworksError:
    text = str(answer.get("message") or f"{request} answered {status}")
    if status == 400:
        faults = [Fault(str(item.get("path", "")), str(item["message"])) for item in answer.get("faults", ())]
        return InvalidError(text, tuple(faults))
    return _ERRORS.get(status, SliceworksError)(text)


def _unreachable(url: str, error: Exception) -> UnavailableError:
    number = error.errno if isinstance(error, OSError) else None
    reason = os.strerror(number) if number else str(error) or "no answer in time"
    return UnavailableError(
        f"cannot reach a master at {url} ({reason}): "
        "start one with `sliceworks dev`, or name it with --url or SLICEWORKS_URL"
    )
