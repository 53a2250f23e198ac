"""`job submit`: store jobs, and start them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO

import click

from sliceworks.cli.nouns.many import Done, Printer, for_each
from sliceworks.cli.nouns.options import api_options, quiet_option
from sliceworks.cli.output import Style

if TYPE_CHECKING:
    from sliceworks.cli.client import Client, Started


@click.command()
@click.argument("files", metavar="FILE...", type=click.File("rb"), nargs=-1, required=True)
@click.option("--start/--no-start", default=True, help="Start it at once.  [default: start]")
@quiet_option
@api_options
def submit(*, files: Sequence[BinaryIO], start: bool, quiet: bool, url: str, style: Style) -> int:
    """Submit the job in each FILE ("-": stdin); a file may have many, one after the other or in a list.

    \b
    sliceworks job submit job.json
    jq -c '.[] | .workers = 4' jobs.json | sliceworks job submit -q - | sliceworks job wait -
    """
    from sliceworks.cli.nouns.job_texts import jobs_in

    jobs = {job.label: job.text for file in files for job in jobs_in(file.read(), file.name)}

    async def work(client: Client, label: str) -> Done:
        submitted = await client.jobs.submit(jobs[label], start=start)
        document = {**submitted.document, "job_id": submitted.job_id, "ex_id": submitted.ex_id or None}
        return Done(document, _words(label, submitted))

    printer = Printer(style, "job_id", quiet)
    return for_each(list(jobs), work, url=url, printer=printer, at_once=1)  # in the order of the file


def _words(label: str, submitted: Started) -> str:
    started = f"started as execution {submitted.ex_id}" if submitted.ex_id else "stored, not started"
    warnings = [f"warning: {warning}" for warning in submitted.document.get("warnings") or ()]
    return "\n".join([f"{label}: job {submitted.job_id}, {started}", *warnings])
