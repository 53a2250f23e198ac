"""How much of a list is held in memory at once: documents are the clients', and may be large."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

from sliceworks.master.store.rows import Columns
from sliceworks.protocol.errors import InvalidError

R = TypeVar("R", bound=Columns)

MAX_LIST_BYTES: Final = 64_000_000


def within_budget(rows: Iterable[R]) -> Iterator[R]:
    """The rows of a list; InvalidError as soon as their documents are more than one answer may hold."""
    size = 0
    for row in rows:
        size += len(row["document"])
        if size > MAX_LIST_BYTES:
            message = (
                f"size: the answer would have more than {MAX_LIST_BYTES} bytes: "
                "ask for fewer, and go on with from"
            )
            raise InvalidError(message)
        yield row
