"""Lists: a page when one is asked for, or everything, page by page, while it is read.

The API gives at most `WINDOW` documents by place (`from` + `size`).  Beyond that, `everything` goes on from
the time of the last document, so it reads in the order in which documents were made: what is added while it
reads comes at the end, and nothing is left out or given twice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final, Generic

from sliceworks.cli.client.documents import D, Json, read_all
from sliceworks.cli.client.transport import Transport
from sliceworks.protocol.errors import InvalidError

WINDOW: Final = 10_000
PAGE: Final = 1_000
MADE: Final = "_created"


@dataclass(frozen=True, slots=True)
class Listing:
    """Which part of a list; None: as the master does when it is not told."""

    size: int | None = None
    offset: int | None = None
    """How many are left out at the begin."""
    sort: str | None = None
    """`field:asc` or `field:desc`, several by comma."""
    filter: str | None = None
    """Lucene syntax over the stored fields."""

    def query(self) -> dict[str, object]:
        """As the API has it."""
        return {"size": self.size, "from": self.offset, "sort": self.sort, "filter": self.filter}


class Pages(Generic[D]):
    """One list of the API, read as documents of one class."""

    def __init__(self, transport: Transport, path: str, kind: type[D], *, key: str, **query: object) -> None:
        self._transport = transport
        self._path = path
        self._kind = kind
        self._key = key  # the field that tells documents apart
        self._query = query

    async def page(self, listing: Listing) -> list[D]:
        """One request."""
        answer = await self._transport.get(self._path, **{**self._query, **listing.query()})
        return read_all(self._kind, answer)

    async def everything(
        self,
        *,
        filter: str | None = None,  # noqa: A002 - the API's name
        by: str = MADE,
        since: str = "",
    ) -> AsyncIterator[D]:
        """All there is, as it was made; or by another time of its documents, and since a moment only."""
        place = _Place(filter, by, since)
        while True:
            page = await self.page(place.next())
            for document in page:
                if place.take(document.document, self._key):
                    yield document
            if len(page) < PAGE:
                return


class _Place:
    """How far a reader of everything has come."""

    def __init__(self, filter_: str | None, by: str, since: str) -> None:
        self._filter = filter_
        self._by = by
        self._since = since
        self._offset = 0
        self._last = ""
        self._seen: set[Any] = set()  # keys of the documents of the time `_last`

    def next(self) -> Listing:
        """The next page; where the window ends, the first one of those since the last document."""
        if self._offset + PAGE > WINDOW:
            self._begin_window()
        listing = Listing(PAGE, self._offset, f"{self._by}:asc", self._with_since())
        self._offset += PAGE
        return listing

    def _begin_window(self) -> None:
        if self._since == self._last:
            message = f"more than {WINDOW} of them are of the time {self._last}: a narrower filter is needed"
            raise InvalidError(message)
        self._since, self._offset = self._last, 0

    def take(self, document: Json, key: str) -> bool:
        """Whether it is a new one."""
        time, name = str(document.get(self._by, "")), document.get(key)
        if time != self._last:
            self._last, self._seen = time, set()
        is_new = name not in self._seen
        self._seen.add(name)
        return is_new

    def _with_since(self) -> str | None:
        if not self._since:
            return self._filter
        since = f'{self._by}:["{self._since}" TO *]'
        return f"({self._filter}) AND {since}" if self._filter else since
