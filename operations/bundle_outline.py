"""Which operations a bundle holds, found out without running any of its code.

| in the root of the bundle                              | is                                             |
| ------------------------------------------------------ | ---------------------------------------------- |
| a folder with `slicer.py` and `fetcher.py`             | a reader of the folder's name                  |
| a folder with `processor.py`                           | a processor                                    |
| a folder with `api.py` (also beside the above)         | an API or observer                             |
| a module with a class that has a base class            | an operation, if one of its classes makes it so |
| any other folder or module; `_x`, `.x`, tests, setup.py | not an operation                               |
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from sliceworks.operations.manifest import clean_version
from sliceworks.operations.python_version import fits
from sliceworks.protocol.errors import UnprocessableError

READER_FILES: Final = ("slicer", "fetcher")
OPERATION_FILES: Final = (*READER_FILES, "processor", "api")
_NOT_OPERATIONS: Final = re.compile(r"[_.].*|tests?|test_.*|.*_test|conftest|setup")
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,99}")


class BundleError(UnprocessableError):
    """A bundle cannot be used; the text says which file of which asset, and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class AssetPlace:
    """Where an asset is unpacked on this host."""

    asset_id: str
    name: str
    version: str
    directory: Path

    def error(self, what: str) -> BundleError:
        """Something is wrong with this asset."""
        label = f"{self.name}:{self.version}" if self.name else self.asset_id
        return BundleError(f"asset {label}: {what}")


@dataclass(frozen=True, slots=True)
class Outline:
    """One operation, or a module that may be one."""

    name: str
    files: frozenset[str]
    """`slicer`, `processor`, `schema` …; empty if it is a single module."""


def place_at(directory: Path) -> AssetPlace:
    """The asset that is unpacked here, in a folder named by its id; name and version are empty if unknown."""
    about = _about(directory)
    version = str(about.get("version", ""))
    return AssetPlace(
        directory.name, str(about.get("name", "")), clean_version(version) or version, directory
    )


def outlines_of(place: AssetPlace) -> list[Outline]:
    """What is in the bundle, by name; BundleError if its layout is wrong, or it is for another Python."""
    if not place.directory.is_dir():
        message = f"its folder {place.directory} is not there"
        raise place.error(message)
    _check_python(place)
    found: dict[str, Outline] = {}
    for outline in _outlines(place):
        if outline.name in found:
            message = (
                f"{outline.name}.py and {outline.name}/ would be the same operation: remove one of the two"
            )
            raise place.error(message)
        found[outline.name] = outline
    return [found[name] for name in sorted(found)]


def _outlines(place: AssetPlace) -> Iterator[Outline]:
    for path in sorted(place.directory.iterdir()):
        if _NOT_OPERATIONS.fullmatch(path.stem) or not _NAME.fullmatch(path.stem):
            continue
        if path.is_dir():
            files = frozenset(
                name for name in (*OPERATION_FILES, "schema") if (path / f"{name}.py").is_file()
            )
            if files & set(OPERATION_FILES):
                _check_files(place, path.name, files)
                yield Outline(path.name, files)
        elif path.suffix == ".py" and _may_hold_operation(path):
            yield Outline(path.stem, frozenset())


def _check_files(place: AssetPlace, name: str, files: frozenset[str]) -> None:
    reader = [file for file in READER_FILES if file in files]
    if len(reader) == 1:
        missing = READER_FILES[1 - READER_FILES.index(reader[0])]
        message = f"{name}/ has {reader[0]}.py but no {missing}.py: a reader has both"
        raise place.error(message)
    if reader and "processor" in files:
        message = f"{name}/ has slicer.py and processor.py: an operation is a reader or a processor, not both"
        raise place.error(message)


def _may_hold_operation(path: Path) -> bool:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return True  # whoever imports it says what is wrong
    return any(isinstance(node, ast.ClassDef) and node.bases for node in tree.body)


def _check_python(place: AssetPlace) -> None:
    wanted = _about(place.directory).get("python_version")
    if not wanted:
        return
    try:
        is_fit = fits(str(wanted))
    except ValueError as error:
        raise place.error(str(error)) from error
    if not is_fit:
        message = f"it is for Python {wanted}, this host has another"
        raise place.error(message)


def _about(directory: Path) -> dict[str, object]:
    try:
        about = orjson.loads((directory / "asset.json").read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return about if isinstance(about, dict) else {}
