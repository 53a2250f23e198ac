"""Reading what clients send: query options and bodies.  Every fault is a 400 that names the option."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, TypeVar

import orjson
from aiohttp import web

from sliceworks.master.search.conditions import Condition, resolve
from sliceworks.master.search.fields import FieldSet
from sliceworks.master.search.syntax import parse
from sliceworks.master.store.records import Order, Page
from sliceworks.protocol.clock import SystemClock
from sliceworks.protocol.errors import InvalidError

E = TypeVar("E")

MAX_WINDOW: Final = 10_000
DEFAULT_SIZE: Final = 100
NEWEST_FIRST: Final = (Order("_updated", descending=True),)
_MAX_DIGITS: Final = 15
_LEVELS: Final = 254
"""That orjson writes; it reads more."""
_MAX_LEVELS: Final = 100
_SPARE_LEVELS: Final = _LEVELS - _MAX_LEVELS


async def read_object(request: web.Request) -> dict[str, Any]:
    """The JSON object in the body, whatever its Content-Type says; an empty body is an empty object."""
    try:
        body = await request.read()
    except (ConnectionError, web.PayloadAccessError, web.RequestPayloadError) as error:
        message = "the body cannot be read: it was cut off, or is not encoded as its Content-Encoding says"
        raise InvalidError(message) from error
    try:
        document = orjson.loads(body) if body.strip() else {}
    except orjson.JSONDecodeError as error:
        message = "the json submitted is malformed"
        raise InvalidError(message) from error
    if not isinstance(document, dict):
        message = "the json submitted must be an object"
        raise InvalidError(message)
    _refuse_deep(document)
    return document


def _refuse_deep(document: object) -> None:
    """What was read may be nested too deep to be written, alone or in an answer."""
    deep = document
    for _ in range(_SPARE_LEVELS):
        deep = [deep]
    try:
        orjson.dumps(deep)
    except orjson.JSONEncodeError as error:
        message = f"the json submitted is nested too deep: {_MAX_LEVELS} levels at most"
        raise InvalidError(message) from error


def page_of(
    request: web.Request,
    sortable: Collection[str],
    *,
    order: tuple[Order, ...] = NEWEST_FIRST,
    fields: FieldSet | None = None,
) -> Page:
    """`size`, `from`, `sort` and `filter` of a list; one without `fields` has no filter."""
    query = request.query
    size, offset = whole_number(query, "size", DEFAULT_SIZE), whole_number(query, "from", 0)
    if size + offset > MAX_WINDOW:
        message = f"from + size must be at most {MAX_WINDOW}, got {offset + size}"
        raise InvalidError(message)
    matching = _filter_of(query.get("filter", ""), fields)
    return Page(size, offset, _sort_of(query.get("sort", ""), sortable) or order, matching)


def whole_number(query: Mapping[str, str], name: str, default: int) -> int:
    """A number that is not negative; an empty option counts as none."""
    text = query.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > _MAX_DIGITS:
        negative = text.startswith("-") and text[1:].isdigit()
        rule = "cannot be negative" if negative else "must be a integer"
        message = f"{name} parameter {rule}, got {text}"
        raise InvalidError(message)
    return int(text)


def choice(query: Mapping[str, str], name: str, choices: Mapping[str, E], *, default: E) -> E:
    """One of a few texts; an empty option counts as none."""
    text = query.get(name, "")
    if not text:
        return default
    if text not in choices:
        message = f"{name} must be one of {', '.join(choices)}, got {text}"
        raise InvalidError(message)
    return choices[text]


def flag(query: Mapping[str, str], name: str, *, default: bool) -> bool:
    """`true` or `false`; an empty option counts as none."""
    return choice(query, name, {"true": True, "false": False}, default=default)


def deleted_only(query: Mapping[str, str]) -> bool:
    """Whether only deleted documents are wanted, and not the others; given and empty means yes."""
    text = query.get("deleted", "false")
    if text not in ("true", "false", ""):
        message = "deleted query option must true or false"
        raise InvalidError(message)
    return text != "false"


def _filter_of(text: str, fields: FieldSet | None) -> Condition | None:
    if not text.strip():
        return None
    if fields is None:
        message = "this list has no filter"
        raise InvalidError(message)
    return resolve(parse(text), fields, now_ms=SystemClock().wall_ms())


def _sort_of(text: str, sortable: Collection[str]) -> tuple[Order, ...]:
    orders = [_order_of(part.strip(), sortable) for part in text.split(",") if part.strip()]
    first = {order.field: order for order in reversed(orders)}  # a field that comes again decides nothing
    return tuple(order for order in orders if first[order.field] is order)


def _order_of(part: str, sortable: Collection[str]) -> Order:
    field, _, direction = part.partition(":")
    if field not in sortable:
        message = f"cannot sort by {field}, only by {', '.join(sorted(sortable))}"
        raise InvalidError(message)
    if direction not in ("", "asc", "desc"):
        message = f"sort must be <field>:asc or <field>:desc, got {part}"
        raise InvalidError(message)
    return Order(field, descending=direction == "desc")
