"""Whether an asset's code is for this Python: the `python_version` of its `asset.json`."""

from __future__ import annotations

import platform

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version


def fits(wanted: str, version: str | None = None) -> bool:
    """Whether `version` (default: this Python's) is what is wanted; ValueError if that cannot be read.

    A version alone means that one or newer (`3.11`); else it is what `pip` takes, such as `>=3.11,<3.14`.
    """
    text = wanted.strip()
    try:
        specifiers = SpecifierSet(f">={Version(text)}" if text[:1].isdigit() else text)
        return specifiers.contains(version or platform.python_version(), prereleases=True)
    except (InvalidSpecifier, InvalidVersion) as error:
        message = f"python_version {wanted!r} is no version such as 3.11, and no range such as >=3.11,<3.14"
        raise ValueError(message) from error
