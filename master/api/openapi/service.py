"""`/openapi.json` and `/docs`: made once, when first asked for, and outside of the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

import orjson
from aiohttp import web

from sliceworks.master.api.context import Api, Route
from sliceworks.master.api.description import About
from sliceworks.master.api.openapi.document import openapi
from sliceworks.master.api.openapi.page import page_of
from sliceworks.protocol.version import own_version

HTML: Final = "text/html"
_NOTHING_FROM_OUTSIDE: Final = "default-src 'none'; style-src 'unsafe-inline'"


class Documentation:
    """Of all routes that are bound to an application, these two included."""

    def __init__(self, bound: Sequence[Route]) -> None:
        self._bound = bound
        self.routes = (
            Route("GET", "/openapi.json", self.get_document, About("service", dict[str, Any])),
            Route("GET", "/docs", self.get_page, About("service", str, media=HTML)),
        )

    async def get_document(self, api: Api, request: web.Request) -> web.Response:
        """All requests and answers, as an OpenAPI 3.1 document."""
        return web.Response(
            body=await asyncio.to_thread(lambda: self._body), content_type="application/json", charset="utf-8"
        )

    async def get_page(self, api: Api, request: web.Request) -> web.Response:
        """The same as a page for people."""
        page = await asyncio.to_thread(lambda: self._page)
        headers = {"Content-Security-Policy": _NOTHING_FROM_OUTSIDE}
        return web.Response(text=page, content_type=HTML, headers=headers)

    @cached_property
    def _document(self) -> dict[str, Any]:
        return openapi(self._bound, own_version())

    @cached_property
    def _body(self) -> bytes:
        return orjson.dumps(self._document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    @cached_property
    def _page(self) -> str:
        return page_of(self._document)
