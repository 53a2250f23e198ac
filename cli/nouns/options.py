"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from sliceworks.cli.output import output_option

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT_URL: Final = "http://127.0.0.1:5678"
MOST: Final = 10_000


def api_options(command: Command) -> Command:
    """Gives a command `--url` and `-o`."""
    url = click.option(
        "--url",
        envvar="SLICEWORKS_URL",
        default=DEFAULT_URL,
        show_default=True,
        help="Of the master; or the variable SLICEWORKS_URL.",
    )
    return url(output_option(command))


def quiet_option(command: Command) -> Command:
    """Gives a command `-q`."""
    return click.option("-q", "--quiet", is_flag=True, help="Print ids only, one a line.")(command)


def dry_run_option(command: Command) -> Command:
    """Gives a command `--dry-run`."""
    return click.option("--dry-run", is_flag=True, help="Say what would happen, and do nothing.")(command)


def list_options(command: Command) -> Command:
    """Gives a command what every list takes: see `lists.Wanted`."""
    options = (
        click.option(
            "--filter", "filter_", metavar="QUERY", help="Only those that match this, in Lucene syntax."
        ),
        click.option("--sort", metavar="FIELD:asc|desc", help="In this order; several by comma."),
        click.option(
            "--size", type=click.IntRange(1, MOST), metavar="N", help="At most so many.  [default: 100]"
        ),
        click.option(
            "--from",
            "offset",
            type=click.IntRange(0, MOST),
            metavar="N",
            help="Leave out so many at the begin.",
        ),
        click.option("--all", "everything", is_flag=True, help="All there are, the oldest first."),
        quiet_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


def duration(name: str, help_text: str) -> Callable[[Command], Command]:
    """Gives a command an option that is a time such as "30s", as milliseconds or None."""
    return click.option(name, metavar="TIME", callback=_milliseconds, help=help_text)


def _milliseconds(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    from sliceworks.protocol.durations import duration_ms

    try:
        return None if value is None else duration_ms(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx=context, param=parameter) from error
