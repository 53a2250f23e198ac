"""`sliceworks cluster`: the cluster as a whole."""

from __future__ import annotations

from typing import Final

import click

from sliceworks.cli.groups import NounGroup
from sliceworks.cli.nouns.options import api_options
from sliceworks.cli.output import Style, print_document, print_rows

COLUMNS: Final = (
    "ex_id",
    "job_id",
    "name",
    "workers_active",
    "workers_available",
    "queued",
    "processed",
    "failed",
)


@click.group(cls=NounGroup)
def cluster() -> None:
    """What the cluster is and does."""


@cluster.command()
@api_options
def show(*, url: str, style: Style) -> None:
    """Print the master's name and versions."""
    from sliceworks.cli.client.client import call

    print_document(call(url, lambda client: client.cluster.info()).document, style)


@cluster.command()
@api_options
def stats(*, url: str, style: Style) -> None:
    """Print the sums over all executions."""
    from sliceworks.cli.client.client import call

    print_document(call(url, lambda client: client.cluster.sums()).document, style)


@cluster.command()
@api_options
def controllers(*, url: str, style: Style) -> None:
    """List the controllers of all living executions, with what they count."""
    from sliceworks.cli.client.client import call

    found = call(url, lambda client: client.cluster.controllers())
    print_rows([each.document for each in found], COLUMNS, style)
