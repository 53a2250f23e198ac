"""Lists: part of one, or all of it, printed while it is read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import click

from sliceworks.cli.output import Style, print_document, print_rows

if TYPE_CHECKING:
    from sliceworks.cli.client import Client, Document
    from sliceworks.cli.client.paging import Pages

PageSource: TypeAlias = "Callable[[Client], Pages[Any]]"
Shape: TypeAlias = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""A document as the table shows it."""

DEFAULT_SIZE: Final = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the options of a list say."""

    filter_: str | None
    sort: str | None
    size: int | None
    offset: int | None
    everything: bool
    quiet: bool

    def check(self) -> None:
        """UsageError for options that exclude each other."""
        if self.everything and (self.sort or self.size or self.offset):
            message = "--all gives all there are, the oldest first: without --sort, --size and --from"
            raise click.UsageError(message)


@dataclass(frozen=True, slots=True)
class Columns:
    """How a list is shown."""

    key: str
    """The field with the id."""
    shown: Sequence[str]
    shape: Shape = dict


def print_list(source: PageSource, wanted: Wanted, columns: Columns, *, url: str, style: Style) -> None:
    """Print what is wanted of a list of the API."""
    from sliceworks.cli.client.client import call

    wanted.check()

    async def printed(client: Client) -> None:
        await _print(_documents(source(client), wanted), wanted, columns=columns, style=style)

    call(url, printed)


async def _documents(pages: Pages[Any], wanted: Wanted) -> AsyncIterator[Document]:
    from sliceworks.cli.client.paging import Listing

    if wanted.everything:
        async for document in pages.everything(filter=wanted.filter_):
            yield document
        return
    listing = Listing(wanted.size or DEFAULT_SIZE, wanted.offset, wanted.sort, wanted.filter_)
    for document in await pages.page(listing):
        yield document


async def _print(
    documents: AsyncIterator[Document], wanted: Wanted, *, columns: Columns, style: Style
) -> None:
    """Ids and NDJSON as they come; a table and a JSON document need all of them first."""
    if wanted.quiet:
        async for document in documents:
            click.echo(document.document.get(columns.key))
    elif style is Style.NDJSON:
        async for document in documents:
            print_document(document.document, style)
    else:
        rows = [document.document async for document in documents]
        shaped = [columns.shape(row) for row in rows] if style is Style.TABLE else rows
        print_rows(shaped, columns.shown, style)
