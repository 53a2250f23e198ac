"""`sliceworks ex`: look at executions and steer them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from sliceworks.cli.groups import NounGroup
from sliceworks.cli.nouns.lists import Columns, Wanted, print_list
from sliceworks.cli.nouns.many import Done
from sliceworks.cli.nouns.options import api_options, list_options
from sliceworks.cli.nouns.steering import add_verbs, verb_command
from sliceworks.cli.output import Style

if TYPE_CHECKING:
    from sliceworks.cli.client import Client

COLUMNS: Final = Columns(
    "ex_id", ("ex_id", "name", "_status", "workers", "_created", "_updated", "_status_reason")
)


@click.group(cls=NounGroup)
def ex() -> None:
    """List and steer executions: the runs of jobs.

    \b
    sliceworks ex list --status running,failing
    sliceworks ex list -q --filter 'name:nightly AND _status:failed' | sliceworks ex recover -
    """


@ex.command("list")
@click.option("--status", metavar="NAMES", help="Of these statuses, by comma.")
@click.option("--job", "job_id", metavar="ID", help="Of this job.")
@click.option("--deleted", is_flag=True, default=None, help="Only those that are deleted.")
@list_options
@api_options
def list_(
    *,
    status: str | None,
    job_id: str | None,
    deleted: bool | None,
    url: str,
    style: Style,
    **options: Any,
) -> None:
    """List executions, the newest change first."""
    if job_id:
        own = f'job_id:"{job_id}"'
        options["filter_"] = f"({options['filter_']}) AND {own}" if options["filter_"] else own
    statuses = (status or "").split(",") if status else ()
    print_list(
        lambda client: client.executions.list(status=statuses, deleted=deleted),
        Wanted(**options),
        COLUMNS,
        url=url,
        style=style,
    )


async def _show(client: Client, target: str) -> Done:
    return Done((await client.executions.get(target)).document)


ex.add_command(verb_command("ex", "show", help_text="Print the document.", work=_show))
add_verbs(ex, "ex")
