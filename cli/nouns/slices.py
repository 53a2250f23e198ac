"""`sliceworks slice`: what became of the slices of an execution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from sliceworks.cli.groups import NounGroup
from sliceworks.cli.nouns.errors import first_line
from sliceworks.cli.nouns.lists import Columns, Wanted, print_list
from sliceworks.cli.nouns.many import Done, Printer, for_each
from sliceworks.cli.nouns.options import api_options, list_options
from sliceworks.cli.output import Style

if TYPE_CHECKING:
    from sliceworks.cli.client import Client

COLUMNS: Final = Columns(
    "slice_id",
    ("slice_id", "state", "slicer_id", "slicer_order", "retry_count", "reason", "request", "error"),
    lambda row: {**row, "error": first_line(str(row.get("error") or ""))},
)


@click.group("slice", cls=NounGroup)
def slice_() -> None:
    """List and count the slices of an execution."""


@slice_.command("list")
@click.argument("ex_id", metavar="EX")
@click.option(
    "--state", type=click.Choice(["pending", "start", "completed", "error"]), help="Only those in this state."
)
@list_options
@api_options
def list_(*, ex_id: str, state: str | None, url: str, style: Style, **options: Any) -> None:
    """List the slices of the execution EX, as they were made.

    \b
    sliceworks slice list EX --state error -o ndjson | jq -r .request
    """
    print_list(
        lambda client: client.executions.slices(ex_id, state=state),
        Wanted(**options),
        COLUMNS,
        url=url,
        style=style,
    )


@slice_.command()
@click.argument("ex_id", metavar="EX")
@api_options
def count(*, ex_id: str, url: str, style: Style) -> int:
    """Count the slices of the execution EX by state."""

    async def work(client: Client, target: str) -> Done:
        return Done((await client.executions.counts(target)).document)

    return for_each([ex_id], work, url=url, printer=Printer(style, "ex_id"))
