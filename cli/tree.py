"""The commands as a tree, for what looks at all of them: the reference page, tests."""

from __future__ import annotations

from collections.abc import Iterator

import click


def walk(command: click.Command, path: str = "sliceworks") -> Iterator[tuple[str, click.Command]]:
    """Every command with its full name, groups before what is in them; imports them all."""
    yield path, command
    if not isinstance(command, click.Group):
        return
    context = click.Context(command, info_name=path)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        if found and not found.hidden:
            yield from walk(found, f"{path} {name}")
