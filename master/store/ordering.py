"""How lists are ordered and cut: by columns that an engine knows, never by what a client wrote."""

from __future__ import annotations

from sliceworks.master.search.sql import Columns, Dialect, render
from sliceworks.master.store.records import Order, Page


def listed(
    statement: str, page: Page, *, dialect: Dialect, columns: Columns, last: str = "number"
) -> tuple[str, dict[str, object]]:
    """A statement with its `{filter}` and `{order}` filled in, and the values that a page binds in it."""
    where = render(page.matching, dialect, columns)
    order = _order_by(page, columns, last)
    filled = statement.replace("{filter}", where.sql).replace("{order}", order)
    return filled, {**where.values, "size": page.size, "offset": page.offset}


def _order_by(page: Page, columns: Columns, last: str) -> str:
    """The terms of an ORDER BY; `last` fixes the order of equal rows."""
    descending = page.order[-1].descending if page.order else True
    terms = [_term(key, columns) for key in page.order]
    return ", ".join([*terms, f"{last} {_direction(descending=descending)}"])


def _term(key: Order, columns: Columns) -> str:
    """No value is the least value; an engine that need not care about that can use an index."""
    term = f"{columns.named[key.field]} {_direction(descending=key.descending)}"
    if key.field in columns.required:
        return term
    return f"{term} NULLS {'LAST' if key.descending else 'FIRST'}"


def _direction(*, descending: bool) -> str:
    return "DESC" if descending else "ASC"
