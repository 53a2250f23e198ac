"""Where settings come from: defaults, a TOML file, the environment, flags; the last that has a key counts.

It is remembered where each value came from, so that every fault names its place; all faults are told at once.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from sliceworks.protocol.durations import DURATION, duration_text
from sliceworks.protocol.errors import ConfigError
from sliceworks.protocol.settings import PortRange, Settings, StateSettings

__all__ = [
    "LoadedSettings",
    "PortRange",
    "SettingRow",
    "Settings",
    "StateSettings",
    "describe",
    "load_settings",
    "setting_keys",
]

ENVIRONMENT_PREFIX: Final = "SLICEWORKS_"
OTHER_VARIABLES: Final = frozenset(
    {
        "SLICEWORKS_URL",  # the command line's own
        "SLICEWORKS_NODE",  # marks the processes of a node; a script that one of them runs may call us
    }
)
DEFAULT: Final = "default"
_CONSEQUENCE: Final = "default_factory_not_called"  # pydantic's word for a fault that another one brings

_Flat: TypeAlias = dict[str, tuple[Any, str]]  # key -> value, origin


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings, and for each key its origin: "default", the file's path, the variable or the flag."""

    settings: Settings
    origins: dict[str, str]


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One line of `sliceworks config show`; values as one would write them."""

    key: str
    value: str
    default: str
    origin: str
    meaning: str


def load_settings(
    *, file: Path | None, environment: Mapping[str, str], flags: Mapping[str, Any]
) -> LoadedSettings:
    """Settings from all layers; ConfigError names every unknown key and bad value, with place and reason.

    A flag is given by its key ("port", "state.url", also "state_url"); one that is None was not given.
    """
    given: _Flat = {}
    if file:
        given |= _flat(_read_file(file), str(file))
    given |= _from_environment(environment)
    given |= _from_flags(flags)
    keys = setting_keys()
    faults = [_unknown(key, origin) for key, (_, origin) in given.items() if key not in keys]
    known = {key: entry for key, entry in given.items() if key in keys}
    try:
        settings = Settings.model_validate(_nested({key: value for key, (value, _) in known.items()}))
    except ValidationError as error:
        faults += [_bad_value(fault, known) for fault in error.errors() if fault["type"] != _CONSEQUENCE]
    if faults:
        raise ConfigError("; ".join(faults))
    return LoadedSettings(settings, {key: known[key][1] if key in known else DEFAULT for key in keys})


def setting_keys() -> dict[str, FieldInfo]:
    """Every key, nested ones with a dot, with its type, default and description; each is also a flag."""
    keys = {key: field for key, field in Settings.model_fields.items() if key != "state"}
    return keys | {f"state.{key}": field for key, field in StateSettings.model_fields.items()}


def describe(loaded: LoadedSettings) -> list[SettingRow]:
    """All settings as text, for people; passwords are not shown."""
    now = _values(loaded.settings)
    usual = _values(Settings())
    return [
        SettingRow(key, now[key], usual[key], loaded.origins[key], field.description or "")
        for key, field in setting_keys().items()
    ]


def _read_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"{file}: cannot be read: {error.strerror}"
        raise ConfigError(message) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"{file}: is not TOML: {error}"
        raise ConfigError(message) from error


def _flat(table: Mapping[str, Any], origin: str, prefix: str = "") -> _Flat:
    flat: _Flat = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, origin, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = (value, origin)
    return flat


def _from_environment(environment: Mapping[str, str]) -> _Flat:
    names = [
        name for name in environment if name.startswith(ENVIRONMENT_PREFIX) and name not in OTHER_VARIABLES
    ]
    return {_key_of_variable(name): (environment[name], name) for name in sorted(names)}


def _key_of_variable(name: str) -> str:
    return name.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", ".")


def _from_flags(flags: Mapping[str, Any]) -> _Flat:
    dotted = {key.replace(".", "_"): key for key in setting_keys()}
    given = {key: value for key, value in flags.items() if value is not None}
    return {
        dotted.get(key.replace(".", "_"), key): (value, "--" + re.sub("[._]", "-", key))
        for key, value in given.items()
    }


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for key, value in flat.items():
        table, _, leaf = key.rpartition(".")
        (nested.setdefault(table, {}) if table else nested)[leaf] = value
    return nested


def _unknown(key: str, origin: str) -> str:
    near = difflib.get_close_matches(key, setting_keys(), n=1)
    hint = f', did you mean "{near[0]}"?' if near else ""
    return f'{origin}: "{key}" is not a setting{hint}'


def _bad_value(fault: Any, known: _Flat) -> str:
    places = [str(part) for part in fault["loc"]]
    key = next((key for key in _prefixes(places) if key in known), ".".join(places))
    origin = known[key][1] if key in known else DEFAULT
    reason = fault["msg"].removeprefix("Value error, ").replace("Input should", "should")
    return f'{origin}: "{key}" {reason}'


def _prefixes(places: list[str]) -> Iterator[str]:
    for count in range(len(places), 0, -1):
        yield ".".join(places[:count])


def _values(settings: Settings) -> dict[str, str]:
    flat = _flat(settings.model_dump(), "")
    return {key: _text(key, flat[key][0]) for key in setting_keys()}


def _text(key: str, value: Any) -> str:
    if key == "state.url":
        return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", value)
    if isinstance(value, int) and _is_duration(setting_keys()[key]):
        return duration_text(value)
    return str(value)


def _is_duration(field: FieldInfo) -> bool:
    return DURATION in field.metadata
