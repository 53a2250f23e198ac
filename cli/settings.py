"""Settings as flags: every key of the configuration is an option of the daemons' commands."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from sliceworks.protocol.config import LoadedSettings, Settings, load_settings, setting_keys

Command = TypeVar("Command", bound=Callable[..., Any])


def settings_options(command: Command) -> Command:
    """Gives a command `--config` and a flag for each key, as keyword arguments `config` and `flags`."""
    for key, field in reversed(setting_keys().items()):
        name = key.replace(".", "_")
        flag = f"--{name.replace('_', '-')}"
        option = click.option(flag, name, metavar="VALUE", help=_first_upper(field.description or ""))
        command = option(command)
    file = click.option(
        "--config", type=click.Path(path_type=Path, dir_okay=False), help="TOML file with settings."
    )
    return file(command)


def load(config: Path | None, flags: Mapping[str, str | None]) -> LoadedSettings:
    """All layers; ConfigError lists every fault."""
    return load_settings(file=config, environment=os.environ, flags=flags)


def read_settings(**flags: object) -> Settings:
    """The settings of a command that takes no file: defaults, environment, these flags."""
    return load_settings(file=None, environment=os.environ, flags=flags).settings


def _first_upper(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
