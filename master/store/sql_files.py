"""SQL by name, and migrations by number, from the `.sql` files beside this module.

A migrations file holds numbered steps, forward only: a store written by an older version opens in a newer
one.
"""

from __future__ import annotations

import re
from importlib import resources
from typing import Final

_STEP: Final = re.compile(r"^-- migration (\d+)[^\n]*\n", re.MULTILINE)
_NAME: Final = re.compile(r"^-- name: (\w+)[^\n]*\n", re.MULTILINE)


def load_queries(file: str) -> dict[str, str]:
    """The statements of a `.sql` file of this package, by the name in their `-- name:` line."""
    return dict(_sections(file, _NAME))


def load_migrations(file: str) -> list[tuple[int, str]]:
    """The steps of a migrations file, in order: number and statements."""
    return [(int(number), script) for number, script in _sections(file, _STEP)]


def schema_version(migrations: str) -> int:
    """The newest step of a migrations file."""
    return max(number for number, _ in load_migrations(migrations))


def _sections(file: str, header: re.Pattern[str]) -> list[tuple[str, str]]:
    parts = header.split(resources.files(__package__).joinpath(file).read_text())
    return list(zip(parts[1::2], parts[2::2], strict=True))
