"""`job update`: put another document in the place of a stored job, after a look at what changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import click

from sliceworks.cli.nouns.many import Done, Printer, for_each
from sliceworks.cli.nouns.options import api_options, dry_run_option
from sliceworks.cli.output import Style, has_colors
from sliceworks.protocol.errors import InvalidError

if TYPE_CHECKING:
    from sliceworks.cli.client import Client
    from sliceworks.cli.nouns.job_changes import Change


@click.command()
@click.argument("target", metavar="ID")
@click.argument("file", type=click.File("rb"))
@dry_run_option
@api_options
def update(*, target: str, file: BinaryIO, dry_run: bool, url: str, style: Style) -> int:
    """Put the job in FILE ("-": stdin) in the place of the stored job ID.

    The whole document is replaced: fields that FILE has not are gone. What runs goes on as it was; the next
    start takes the new one. On a terminal, and with --dry-run, prints what changes.
    """
    from sliceworks.cli.job_file import parse_job
    from sliceworks.cli.nouns.job_changes import job_changes

    text = file.read()
    posted = parse_job(text, file.name)
    if not isinstance(posted, dict):
        message = f"{file.name} is no job: a JSON object is wanted"
        raise InvalidError(message)

    async def work(client: Client, target: str) -> Done:
        changes = job_changes((await client.jobs.get(target)).document, posted)
        if dry_run:
            document = {"job_id": target, "dry_run": True, "changes": [each.document() for each in changes]}
            return Done(document, _words(target, "would be updated", changes))
        updated = await client.jobs.update(target, text)
        return Done(updated.document, _words(target, "updated; the next start takes it", changes))

    return for_each([target], work, url=url, printer=Printer(style, "job_id"))


def _words(target: str, what: str, changes: list[Change]) -> str:
    if not changes:
        return f"job {target}: nothing changes"
    lines = [line for change in changes for line in change.lines()]
    return "\n".join([f"job {target}: {what}", *(_painted(line) for line in lines)])


def _painted(line: str) -> str:
    color = "green" if line.startswith("+") else "red"
    return click.style(line, fg=color) if has_colors() else line
