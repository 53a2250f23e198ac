"""`sliceworks ex`: look at executions and steer them."""

from __future__ import annotations

import click

from sliceworks.cli.verbs import add_verbs, list_command


@click.group()
def ex() -> None:
    """List and steer executions."""


ex.add_command(
    list_command("ex", ("ex_id", "name", "_status", "lifecycle", "workers", "_created", "_updated"))
)
add_verbs(ex, "ex")
