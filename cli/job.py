"""`sliceworks job`: submit jobs to a running master, and steer their latest execution."""

from __future__ import annotations

from typing import BinaryIO

import click

from sliceworks.cli.output import Style, print_document
from sliceworks.cli.verbs import add_verbs, api_options, list_command


@click.group()
def job() -> None:
    """Submit, list and steer jobs; a verb acts on the job's latest execution."""


@job.command()
@click.argument("file", type=click.File("rb"))
@click.option("--start/--no-start", default=True, help="Start it at once.  [default: start]")
@api_options
def submit(*, file: BinaryIO, start: bool, url: str, style: Style) -> None:
    """Submit the job in FILE ("-": stdin)."""
    from sliceworks.cli.client import call
    from sliceworks.cli.job_file import parse_job

    text = file.read()
    parse_job(text, file.name)
    submitted = call(url, lambda api: api.submit(text, start=str(start).lower()))
    print_document({"job_id": submitted.job_id, "ex_id": submitted.ex_id or None}, style)


@job.command()
@click.argument("target", metavar="ID")
@api_options
def start(*, target: str, url: str, style: Style) -> None:
    """Start a stored job."""
    from sliceworks.cli.client import call

    print_document(call(url, lambda api: api.post(f"/jobs/{target}/_start")), style)


job.add_command(list_command("jobs", ("job_id", "name", "lifecycle", "workers", "_created", "_updated")))
add_verbs(job, "jobs")
