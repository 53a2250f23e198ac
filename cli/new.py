"""`sliceworks new`: writes the files of a bundle, with a test that passes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from sliceworks.cli.nouns.many import Done, Printer
from sliceworks.cli.output import Style, output_option

KINDS: Final = ("processor", "reader", "api")


@click.group()
def new() -> None:
    """Write the files of something new."""


@new.command()
@click.argument("name")
@click.option(
    "--kind", type=click.Choice(KINDS), default="processor", show_default=True, help="Of operation."
)
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to write it; it may not be there yet, unless it is empty.  [default: ./NAME]",
)
@output_option
def operation(*, name: str, kind: str, folder: Path | None, style: Style) -> None:
    """Write a bundle with the operation NAME: code, options, a test that passes, and a job that uses it.

    \b
    sliceworks new operation shout
    cd shout && python -m unittest
    sliceworks asset deploy . && sliceworks job submit job.json
    """
    from sliceworks.cli.scaffold import Plan, write_bundle

    place = folder or Path(name)
    files = write_bundle(Plan(name, kind), place)
    words = [f"wrote {place}:", *(f"  {file}" for file in files), f"next: cd {place} && python -m unittest"]
    document = {"name": name, "kind": kind, "dir": str(place), "files": files}
    Printer(style, "dir").show(Done(document, "\n".join(words)))
