"""Requests and answers: JSON both ways, over connections that are kept between calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

import aiohttp
import orjson
from yarl import URL

from sliceworks.cli.client.refusals import no_master, refusal, unreachable
from sliceworks.protocol.errors import InvalidError, UnavailableError

CONNECT_SECONDS: Final = 10
SILENT_SECONDS: Final = 320
"""How long an answer may take: a little longer than the master lets one take (`api_response_timeout`)."""

JSON: Final = "application/json"
BYTES: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Answer:
    """A success: its HTTP status, and the JSON of its body."""

    status: int
    body: Any


@dataclass(frozen=True, slots=True)
class Content:
    """The body of a request."""

    data: bytes
    kind: str = JSON


class Transport:
    """One master; every failure becomes one of the errors of `protocol/errors.py`."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session

    async def get(self, path: str, **query: object) -> Any:
        """The JSON that `path` answers; options that are None are not sent."""
        return (await self.send("GET", path, query)).body

    async def post(self, path: str, **query: object) -> Any:
        """The same for a verb, with an empty body."""
        return (await self.send("POST", path, query)).body

    async def send(
        self,
        method: str,
        path: str,
        query: Mapping[str, object] | None = None,
        *,
        content: Content | None = None,
        silent_seconds: float = SILENT_SECONDS,
    ) -> Answer:
        """One request; UnavailableError if there is no answer, or none of a master."""
        headers = {"Content-Type": content.kind} if content else {}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=silent_seconds)
        target = URL(self.url + path + _query_text(query or {}), encoded=True)
        try:
            async with self._session.request(
                method, target, data=content.data if content else None, headers=headers, timeout=timeout
            ) as response:
                return _answer(response.status, await response.read(), f"{method} {self.url}{path}")
        except (aiohttp.ClientConnectionError, aiohttp.InvalidURL, TimeoutError) as error:
            raise unreachable(self.url, error) from error
        except aiohttp.ClientError as error:
            message = f"what answers at {self.url} is no Sliceworks master: {error}"
            raise UnavailableError(message) from error


def path_of(*segments: str) -> str:
    """A path of these parts, each of which may be any text that can be printed; InvalidError otherwise."""
    for segment in segments:
        if segment.strip(".") == "" or segment != segment.strip() or not segment.isprintable():
            message = f"{segment!r} is no id"
            raise InvalidError(message)
    return "".join(f"/{quote(segment, safe='')}" for segment in segments)


def base_url(text: str) -> str:
    """The URL of a master, without a slash at its end; InvalidError if it is no URL."""
    try:
        url = URL(text)
        is_usable = url.scheme in ("http", "https") and bool(url.host) and not url.query_string
    except ValueError:
        is_usable = False
    if not is_usable:
        message = f"{text!r} is not the URL of a master: one looks like http://127.0.0.1:5678"
        raise InvalidError(message)
    return text.rstrip("/")


def _query_text(query: Mapping[str, object]) -> str:
    given = {name: _option(value) for name, value in query.items() if value is not None}
    return f"?{urlencode(given, quote_via=quote, safe=',:', errors='replace')}" if given else ""


def _option(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _answer(status: int, body: bytes, request: str) -> Answer:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if status >= 400 and status != 404:  # of a proxy, say
            raise refusal(status, None, request) from error
        raise no_master(what=f"{status} and no JSON", request=request) from error
    if status >= 400:
        raise refusal(status, answer, request)
    return Answer(status, answer)
