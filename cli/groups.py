"""Groups of commands: their help says all of what each command does, on as many lines as that takes."""

from __future__ import annotations

from typing import Final

import click

LONGEST_HELP: Final = 300


class NounGroup(click.Group):
    """A group whose list of commands cuts nothing off."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of `--help`."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        texts = [(name, found.get_short_help_str(LONGEST_HELP)) for name, found in commands if found]
        with formatter.section("Commands"):
            formatter.write_dl(texts)
