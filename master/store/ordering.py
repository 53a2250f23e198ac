"""How lists are ordered: by columns that an engine knows, never by what a client wrote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sliceworks.master.store.records import Order, Page


def order_by(page: Page, columns: Mapping[str, str], last: str) -> str:
    """The terms of an ORDER BY; `last` fixes the order of equal rows, and no value is the least value."""
    keys: Iterable[Order] = (
        *page.order,
        Order("", descending=page.order[-1].descending if page.order else True),
    )
    return ", ".join(f"{columns.get(key.field, last)} {_direction(key)}" for key in keys)


def _direction(key: Order) -> str:
    return "DESC NULLS LAST" if key.descending else "ASC NULLS FIRST"
