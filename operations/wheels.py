"""The Python packages that a bundle brings along, as wheels inside its zip.

Each is unpacked into a folder of its own below `.wheels/`, where only the code of its bundle finds it
(`isolation.py`).  Of several wheels of one package the one that fits this host best is taken, so a bundle may
serve hosts of several kinds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from math import inf
from pathlib import Path

from packaging.tags import Tag, sys_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from sliceworks.operations.archive import ArchiveError, ArchiveLimits, extract
from sliceworks.operations.isolation import WHEELS


@dataclass(frozen=True, slots=True)
class _Wheel:
    path: Path
    package: str
    rank: float
    """Place among what this Python takes, 0 for the best; infinite if it is for others."""


def unpack_wheels(directory: Path, limits: ArchiveLimits) -> None:
    """Unpack what fits of the wheels anywhere in the bundle; ArchiveError if a package has none that does."""
    by_package: dict[str, list[_Wheel]] = {}
    for path in sorted(directory.rglob("*.whl")):
        wheel = _read(path, directory)
        by_package.setdefault(wheel.package, []).append(wheel)
    for package, wheels in sorted(by_package.items()):
        best = min(wheels, key=lambda wheel: wheel.rank)
        if best.rank == inf:
            names = ", ".join(wheel.path.name for wheel in wheels)
            message = f"no wheel of {package} is for the Python and the system of this host: {names}"
            raise ArchiveError(message)
        target = directory / WHEELS / package
        target.mkdir(parents=True)
        try:
            extract(best.path, target, limits)
        except ArchiveError as error:
            message = f"{best.path.relative_to(directory)}: {error}"
            raise ArchiveError(message) from error


def _read(path: Path, directory: Path) -> _Wheel:
    try:
        package, _version, _build, tags = parse_wheel_filename(path.name)
    except InvalidWheelFilename as error:
        message = f"{path.relative_to(directory)}: it is not named like a wheel"
        raise ArchiveError(message) from error
    return _Wheel(path, str(package), _rank(tags))


def _rank(tags: Iterable[Tag]) -> float:
    known = _known_tags()
    return min((known.get(tag, inf) for tag in tags), default=inf)


@cache
def _known_tags() -> dict[Tag, int]:
    return {tag: place for place, tag in enumerate(sys_tags())}
