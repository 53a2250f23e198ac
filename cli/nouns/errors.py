"""`errors`: the slices that failed, and with `--follow` those that fail from now on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from sliceworks.cli.nouns.lists import Columns, Wanted, print_list
from sliceworks.cli.nouns.options import api_options, list_options
from sliceworks.cli.output import Style, cell_text, print_document
from sliceworks.cli.table import visible

if TYPE_CHECKING:
    from sliceworks.cli.client import Client, Slice
    from sliceworks.cli.client.paging import Pages

Noun = Literal["jobs", "ex"]

LOOK_SECONDS: Final = 1.0
OVERLAP_SECONDS: Final = 5.0
"""What was written in so long a time is looked at again: it may not have come in the order of its times."""


def first_line(text: str) -> str:
    """What an error says, without where it was raised."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return ""
    return lines[-1] if lines[0].startswith("Traceback") else lines[0]


def _shape(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "error": first_line(str(row.get("error") or ""))}


COLUMNS: Final = Columns("slice_id", ("slice_id", "ex_id", "slicer_order", "reason", "error"), _shape)


_HELP: Final[dict[Noun, str]] = {
    "jobs": "List the slices of all executions of a job that failed, the newest first.",
    "ex": "List the slices of an execution that failed, or without ID of all of them, the newest first.",
}


def errors_command(noun: Noun) -> click.Command:
    """`errors`, for jobs or for executions."""

    @click.command("errors", help=_HELP[noun])
    @click.argument("target", metavar="ID", required=noun == "jobs")
    @click.option("--follow", "-f", is_flag=True, help="Print those that come, until the execution is over.")
    @list_options
    @api_options
    def command(*, target: str | None, follow: bool, url: str, style: Style, **options: Any) -> None:
        wanted = Wanted(**options)
        if not follow:
            print_list(lambda client: _pages(client, noun, target), wanted, COLUMNS, url=url, style=style)
        elif target is None:
            message = "--follow needs the ID of an execution"
            raise click.UsageError(message)
        else:
            _follow_from_here(noun, target, wanted=wanted, url=url, style=style)

    return command


def _pages(client: Client, noun: Noun, target: str | None) -> Pages[Slice]:
    if target is None:
        return client.executions.all_errors()
    return client.jobs.errors(target) if noun == "jobs" else client.executions.errors(target)


def _follow_from_here(noun: Noun, target: str, *, wanted: Wanted, url: str, style: Style) -> None:
    from sliceworks.cli.client.client import call

    if wanted.everything or wanted.sort or wanted.size or wanted.offset:
        message = "--follow prints all of them, the oldest first: without --all, --sort, --size and --from"
        raise click.UsageError(message)

    async def printed(client: Client) -> None:
        ex_id = (await client.jobs.latest_execution(target)).ex_id if noun == "jobs" else target
        async for failed in _followed(client, ex_id, wanted.filter_):
            _print(failed, quiet=wanted.quiet, style=style)

    call(url, printed)


def _print(failed: Slice, *, quiet: bool, style: Style) -> None:
    if quiet:
        click.echo(failed.slice_id)
    elif style is Style.TABLE:
        row = _shape(failed.document)
        click.echo("  ".join(visible(cell_text(row.get(name))) for name in COLUMNS.shown))
    else:
        print_document(failed.document, style)


async def _followed(client: Client, ex_id: str, filter_: str | None) -> AsyncIterator[Slice]:
    """What has failed, then what fails, until the execution is over; a master that restarts is waited for."""
    import asyncio

    from sliceworks.cli.client.waiting import Patience

    reader = _Reader(client.executions.errors(ex_id), filter_)
    patience, is_over = Patience(), False
    while not is_over:
        with patience.bearing():
            execution = await client.executions.get(ex_id)  # before the errors, so that none is missed
            async for failed in reader.new_ones():
                yield failed
            is_over = execution.is_over
        if not is_over:
            await asyncio.sleep(LOOK_SECONDS)


class _Reader:
    """Reads the errors of one execution in the order in which they were written."""

    def __init__(self, pages: Pages[Slice], filter_: str | None) -> None:
        self._pages = pages
        self._filter = filter_
        self._since = ""
        self._seen: dict[str, str] = {}  # slice_id -> when it was written, of those since `_since`

    async def new_ones(self) -> AsyncIterator[Slice]:
        """Those that were not there the last time."""
        newest = self._since
        async for failed in self._pages.everything(filter=self._filter, by="_updated", since=self._since):
            if failed.slice_id not in self._seen:
                self._seen[failed.slice_id] = newest = failed.updated
                yield failed
        self._since = max(self._since, before(newest, OVERLAP_SECONDS))
        self._seen = {name: time for name, time in self._seen.items() if time >= self._since}


def before(time: str, seconds: float) -> str:
    """So much earlier, as the API writes times; "" stays."""
    if not time:
        return ""
    from datetime import datetime, timedelta

    from sliceworks.protocol.timestamps import iso_from_ms

    moment = datetime.fromisoformat(time) - timedelta(seconds=seconds)
    return iso_from_ms(round(moment.timestamp() * 1000))
