"""How lists are ordered and cut: by columns that an engine knows, never by what a client wrote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sliceworks.master.search.sql import Columns, Dialect, render
from sliceworks.master.store.records import Order, Page


def listed(
    statement: str, page: Page, dialect: Dialect, columns: Columns, *, last: str = "number"
) -> tuple[str, dict[str, object]]:
    """A statement with its `{filter}` and `{order}` filled in, and the values that a page binds in it."""
    where = render(page.matching, dialect, columns)
    order = order_by(page, columns.named, last)
    filled = statement.replace("{filter}", where.sql).replace("{order}", order)
    return filled, {**where.values, "size": page.size, "offset": page.offset}


def order_by(page: Page, columns: Mapping[str, str], last: str) -> str:
    """The terms of an ORDER BY; `last` fixes the order of equal rows, and no value is the least value."""
    keys: Iterable[Order] = (
        *page.order,
        Order("", descending=page.order[-1].descending if page.order else True),
    )
    return ", ".join(f"{columns.get(key.field, last)} {_direction(key)}" for key in keys)


def _direction(key: Order) -> str:
    return "DESC NULLS LAST" if key.descending else "ASC NULLS FIRST"
