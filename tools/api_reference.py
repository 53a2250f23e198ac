"""Writes the table of requests in `docs/api.md` from the routes; the words round it stay."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from inspect import getdoc
from pathlib import Path
from typing import Final, cast

from aiohttp import web

from sliceworks.master.api.app import make_app
from sliceworks.master.api.context import BOUND, Api, Route
from sliceworks.master.api.openapi.document import plain
from sliceworks.master.api.openapi.words import TAGS
from tools.generated import main_of, with_table

PAGE: Final = "docs/api.md"


def page(now: str) -> str:
    """The page with its table as it should be."""
    return with_table(now, "requests", _table(_routes()))


def _routes() -> Sequence[Route]:
    """All of them; nothing is called, so that there is no API behind them."""
    app = make_app(cast("Api", None), node_socket=_unused, controller_socket=_unused)
    routes: list[Route] = app[BOUND]
    return routes


async def _unused(_request: web.Request) -> web.StreamResponse:
    raise NotImplementedError


def _table(routes: Sequence[Route]) -> Iterable[str]:
    yield "| request | does | options |"
    yield "| --- | --- | --- |"
    for tag in TAGS:
        rows: dict[tuple[str, ...], list[str]] = {}
        for route in routes:
            if route.about.tag == tag:
                options = ", ".join(f"`{option.name}`" for option in route.about.options)
                does = (getdoc(route.handler) or "").partition("\n")[0].removesuffix(".")
                rows.setdefault((route.method, does, options), []).append(f"`{plain(route.path)}`")
        for (method, does, options), paths in rows.items():
            yield f"| {method} {', '.join(paths)} | {does} | {options} |"


if __name__ == "__main__":
    sys.exit(main_of(PAGE, page(Path(PAGE).read_text(encoding="utf-8"))))
