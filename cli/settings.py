"""Settings as flags: every key of the configuration is an option of the daemons' commands."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sliceworks.cli.setting_flags import MEANINGS

if TYPE_CHECKING:
    from sliceworks.protocol.config import LoadedSettings, Settings

Command = TypeVar("Command", bound=Callable[..., Any])


def settings_options(command: Command) -> Command:
    """Gives a command `--config` and a flag for each key, as keyword arguments `config` and `flags`."""
    for key, meaning in reversed(MEANINGS.items()):
        name = key.replace(".", "_")
        flag = f"--{name.replace('_', '-')}"
        option = click.option(flag, name, metavar="VALUE", help=_first_upper(meaning))
        command = option(command)
    file = click.option(
        "--config", type=click.Path(path_type=Path, dir_okay=False), help="TOML file with settings."
    )
    return file(command)


def load(config: Path | None, flags: Mapping[str, str | None]) -> LoadedSettings:
    """All layers; ConfigError lists every fault."""
    from sliceworks.protocol.config import load_settings

    return load_settings(file=config, environment=os.environ, flags=flags)


def read_settings(**flags: object) -> Settings:
    """The settings of a command that takes no file: defaults, environment, these flags."""
    from sliceworks.protocol.config import load_settings

    return load_settings(file=None, environment=os.environ, flags=flags).settings


def _first_upper(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
