"""Which packages in a bundle's wheels must keep their own names, because machine code knows them by these.

A compiled module imports others from C, by the name that it was built for, and most cannot be loaded twice in
one process anyway.  So packages with such modules, and all that they require, are loaded under their own
names, once in a process, and the host's own copy goes before the bundle's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import PathDistribution
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name


@dataclass(frozen=True, slots=True)
class OwnName:
    """A top-level module that keeps its name."""

    package: str
    root: str
    """The folder that it is in."""
    content: str
    """Equal for equal wheels."""


@dataclass(frozen=True, slots=True)
class _Wheel:
    package: str
    roots: list[Path]
    requires: list[str]
    content: str


def wheel_roots(folder: Path) -> list[Path]:
    """Where the modules of an unpacked wheel are; of some a part is in folders for the platform."""
    return [folder, *sorted(folder.glob("*.data/purelib")), *sorted(folder.glob("*.data/platlib"))]


def own_names(wheels: Path) -> dict[str, OwnName]:
    """The top-level modules that keep their names, of all the wheels that are unpacked in this folder."""
    known = {wheel.package: wheel for folder in _folders(wheels) if (wheel := _read(folder))}
    kept: dict[str, _Wheel] = {}
    waiting = [wheel for wheel in known.values() if _is_compiled(wheel)]
    while waiting:
        wheel = waiting.pop()
        if wheel.package not in kept:
            kept[wheel.package] = wheel
            waiting += [known[name] for name in wheel.requires if name in known]
    return {
        module: OwnName(wheel.package, str(root), wheel.content)
        for wheel in kept.values()
        for root in wheel.roots
        for module in _modules(root)
    }


def _folders(wheels: Path) -> list[Path]:
    return sorted(wheels.iterdir()) if wheels.is_dir() else []


def _read(folder: Path) -> _Wheel | None:
    info = next(iter(sorted(folder.glob("*.dist-info"))), None)
    if info is None:
        return None
    record = info / "RECORD"
    content = record.read_bytes() if record.is_file() else str(folder).encode()
    return _Wheel(
        canonicalize_name(folder.name),
        wheel_roots(folder),
        list(_names(PathDistribution(info).requires or ())),
        hashlib.sha1(content, usedforsecurity=False).hexdigest(),
    )


def _names(requirements: Iterable[str]) -> Iterator[str]:
    for text in requirements:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield canonicalize_name(requirement.name)


def _is_compiled(wheel: _Wheel) -> bool:
    files = (path.name for root in wheel.roots for path in root.rglob("*") if path.is_file())
    return any(name.endswith(tuple(EXTENSION_SUFFIXES)) for name in files)


def _modules(root: Path) -> Iterator[str]:
    for path in root.iterdir():
        name = path.name.partition(".")[0]
        if name.isidentifier() and (path.suffix == ".py" or path.name.endswith(tuple(EXTENSION_SUFFIXES))):
            yield name
        elif path.is_dir() and path.name.isidentifier():
            yield path.name
