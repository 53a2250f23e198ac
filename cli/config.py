"""`sliceworks config`: what the daemons would run with, and why."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from sliceworks.cli.output import Style, output_option, print_rows
from sliceworks.cli.settings import load, settings_options

COLUMNS = ("key", "value", "default", "origin", "meaning")


@click.group()
def config() -> None:
    """What the settings are, and where they come from."""


@config.command()
@settings_options
@output_option
def show(*, config: Path | None, style: Style, **flags: Any) -> None:
    """Print every key: its value, default, origin and meaning."""
    from sliceworks.protocol.config import describe

    print_rows([asdict(row) for row in describe(load(config, flags))], COLUMNS, style)
