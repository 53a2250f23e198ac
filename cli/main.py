"""The `sliceworks` command: finds what was asked for, runs it, and turns errors into exit codes.

Only `click` is imported before a command is chosen, so that `--help` and completion are fast; a command's
module, and what it needs, is imported when the command runs.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn, cast

import click

from sliceworks.cli.faults import NOT_ALLOWED, error_text, exit_code_for, os_error_text
from sliceworks.protocol.errors import SliceworksError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

INTERRUPTED: Final = 130  # what shells say of a command ended by Ctrl-C


class Place(NamedTuple):
    """Where a command is defined, and what `--help` says of it without importing it."""

    module: str
    name: str
    help: str


COMMANDS: Final = {
    "dev": Place("sliceworks.cli.dev", "dev", "A whole cluster on this machine, until Ctrl-C."),
    "run": Place("sliceworks.cli.run", "run", "Run one job to its end on a cluster of its own."),
    "master": Place("sliceworks.cli.daemons", "master", "The cluster master."),
    "worker": Place("sliceworks.cli.daemons", "worker", "The worker daemon of this host."),
    "job": Place("sliceworks.cli.nouns.job", "job", "Submit, list and steer jobs."),
    "ex": Place("sliceworks.cli.nouns.ex", "ex", "List and steer executions."),
    "slice": Place("sliceworks.cli.nouns.slices", "slice_", "List and count slices."),
    "node": Place("sliceworks.cli.nouns.node", "node", "List, drain and resume nodes."),
    "asset": Place("sliceworks.cli.nouns.asset", "asset", "Build, deploy and list bundles of operations."),
    "cluster": Place("sliceworks.cli.nouns.cluster", "cluster", "What the cluster is and does."),
    "new": Place("sliceworks.cli.new", "new", "Write the files of a new operation."),
    "config": Place("sliceworks.cli.config", "config", "What the settings are, and where they come from."),
    "verify": Place("sliceworks.cli.verify", "verify", "Recompute the counters of an execution."),
    "chaos": Place("sliceworks.cli.chaos", "chaos", "Kill the processes of a cluster, and check."),
    "completion": Place("sliceworks.cli.completion", "completion", "What makes a shell complete commands."),
}


class PipeClosedError(Exception):
    """The reader of our stdout has seen enough."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used."""

    def invoke(self, ctx: click.Context) -> object:
        """As click does, but a closed pipe is none of its errors, which end with code 1."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise PipeClosedError from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now; None if there is none of that name."""
        place = COMMANDS.get(cmd_name)
        return cast("click.Command", getattr(import_module(place.module), place.name)) if place else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of `--help`, made without importing a command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, place.help) for name, place in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The names that begin so, without importing a command; options as click does."""
        from click.shell_completion import CompletionItem

        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        found = [(name, place.help) for name, place in COMMANDS.items() if name.startswith(incomplete)]
        return [CompletionItem(name, help=text) for name, text in found]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest names in the message."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.NoSuchCommand(args[0], possibilities=COMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)


def _print_version(context: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click calls it
    if value:
        from importlib.metadata import version

        click.echo(version("sliceworks"))
        context.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show it."
)
def sliceworks() -> None:
    """Runs sliced work on clusters of your own machines, and never loses a slice.

    Exit codes: 0 ok, 1 error, 2 usage, 3 partly done, 4 nothing found, 5 conflict, 6 not allowed,
    7 unreachable, 10 run failed, 11 wait timed out, 12 stopped or terminated.
    """


def main() -> NoReturn:
    """Run the command of `sys.argv` and exit with its code."""
    sys.exit(exit_code_of(sys.argv[1:]))


def exit_code_of(arguments: list[str]) -> int:
    """Run a command; errors are one clear text on stderr."""
    try:
        return int(sliceworks.main(arguments, prog_name="sliceworks", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except SliceworksError as error:
        click.echo(error_text(error), err=True)
        return exit_code_for(error)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except PipeClosedError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except PermissionError as error:
        click.echo(os_error_text(error), err=True)
        return NOT_ALLOWED
    except OSError as error:
        click.echo(os_error_text(error), err=True)
        return 1
