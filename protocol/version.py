"""The version of this package."""

from __future__ import annotations

from importlib import metadata


def own_version() -> str:
    """Of the installed package; a tree that is run without being installed has none."""
    try:
        return metadata.version("sliceworks")
    except metadata.PackageNotFoundError:
        return "0"
