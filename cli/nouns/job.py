"""`sliceworks job`: submit jobs to a running master, and steer their latest execution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from sliceworks.cli.groups import NounGroup
from sliceworks.cli.nouns.job_delete import delete
from sliceworks.cli.nouns.job_submit import submit
from sliceworks.cli.nouns.job_update import update
from sliceworks.cli.nouns.lists import Columns, Wanted, print_list
from sliceworks.cli.nouns.many import Done
from sliceworks.cli.nouns.options import api_options, list_options
from sliceworks.cli.nouns.steering import add_verbs, verb_command
from sliceworks.cli.output import Style

if TYPE_CHECKING:
    from sliceworks.cli.client import Client

COLUMNS: Final = Columns(
    "job_id",
    ("job_id", "name", "_status", "lifecycle", "workers", "active", "_updated"),
    lambda row: {**row, **(row.get("ex") or {})},
)


@click.group(cls=NounGroup)
def job() -> None:
    """Submit, list and steer jobs; a verb acts on the job's latest execution.

    \b
    sliceworks job submit job.json
    sliceworks job list -q --filter name:nightly | sliceworks job stop -
    """


@job.command("list")
@click.option("--active/--inactive", default=None, help="Only those that are, or are not.")
@click.option("--deleted", is_flag=True, default=None, help="Only those that are deleted.")
@list_options
@api_options
def list_(*, active: bool | None, deleted: bool | None, url: str, style: Style, **options: Any) -> None:
    """List stored jobs, the newest change first; a table has the status of the latest execution."""
    fields = "_status" if style is Style.TABLE else None
    print_list(
        lambda client: client.jobs.list(active=active, deleted=deleted, ex=fields),
        Wanted(**options),
        COLUMNS,
        url=url,
        style=style,
    )


async def _show(client: Client, target: str) -> Done:
    return Done((await client.jobs.get(target)).document)


async def _start(client: Client, target: str) -> Done:
    started = await client.jobs.start(target)
    return Done(started.document, f"job {target}: started as execution {started.ex_id}")


async def _activate(client: Client, target: str) -> Done:
    return Done((await client.jobs.activate(target)).document, f"job {target}: active")


async def _deactivate(client: Client, target: str) -> Done:
    return Done((await client.jobs.deactivate(target)).document, f"job {target}: inactive")


for name, work, text in (
    ("show", _show, "Print the document, as it was posted."),
    ("start", _start, "Start a stored job anew."),
    ("activate", _activate, "Mark a job active."),
    ("deactivate", _deactivate, "Mark a job inactive; what runs goes on."),
):
    job.add_command(verb_command("jobs", name, help_text=text, work=work))
for command in (submit, update, delete):
    job.add_command(command)
add_verbs(job, "jobs")
