"""Which asset a reference of a job means: an id, a name, or a name with a version or a range of versions.

Ranges are npm's, prereleases included, because clients and jobs are written for that.  Of the versions in the
range that are for this Python and this host, the highest is taken.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable, Sequence
from functools import cmp_to_key
from typing import Final

import nodesemver  # type: ignore[import-untyped]  # it has no annotations

from sliceworks.master.store.records import AssetRecord
from sliceworks.operations.manifest import is_asset_id
from sliceworks.operations.python_version import fits
from sliceworks.protocol.errors import InvalidError

_ANY: Final = frozenset({"", "*", "latest"})
_MAX_RANGE: Final = 256
_LOOSE: Final = False
_PRERELEASES: Final = True
_ARCHITECTURES: Final = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}


def asset_named(reference: str, known: Iterable[AssetRecord]) -> AssetRecord:
    """The asset that a job means; InvalidError says why there is none."""
    listed = [asset for asset in known if asset.deleted_ms is None]
    if is_asset_id(reference):
        found = [asset for asset in listed if asset.asset_id == reference]
        if found:
            return found[0]
    name, _, versions = reference.partition(":")
    in_range = _in_range([asset for asset in listed if asset.name == name], versions)
    if not in_range:
        message = f'No assets found for "{reference}"'
        raise InvalidError(message)
    fitting = [asset for asset in in_range if not misfit(asset)]
    if not fitting:
        message = f'No asset found for "{reference}", due to a potential {misfit(in_range[0])} mismatch'
        raise InvalidError(message)
    return newest(fitting)


def newest(assets: Sequence[AssetRecord]) -> AssetRecord:
    """The one with the highest version; of several with that, the one that was uploaded last."""
    return by_version(assets)[-1]


def by_version(assets: Iterable[AssetRecord]) -> list[AssetRecord]:
    """From the lowest to the highest version."""
    return sorted(assets, key=lambda asset: (version_key(asset.version), asset.created_ms))


version_key: Final = cmp_to_key(lambda one, other: nodesemver.compare(one, other, _LOOSE))
"""Of a version: what to sort by."""


def misfit(asset: AssetRecord) -> str:
    """The field of its asset.json by which it is not for this host; "" if it is for it."""
    if asset.python_version and not fits(asset.python_version):
        return "python_version"
    if asset.platform and asset.platform != sys.platform:
        return "platform"
    if asset.arch and _architecture(asset.arch) != _architecture(platform.machine()):
        return "arch"
    return ""


def is_at_least(version: str, minimum: str) -> bool:
    """Whether a version is not lower than another one."""
    return bool(nodesemver.gte(version, minimum, loose=_LOOSE))


def _in_range(assets: list[AssetRecord], versions: str) -> list[AssetRecord]:
    wanted = versions.strip()
    if wanted in _ANY:
        return assets
    if len(wanted) > _MAX_RANGE:
        return []
    try:
        accepted = nodesemver.make_range(wanted, _LOOSE)
    except ValueError:
        return []
    return [asset for asset in assets if accepted.test(asset.version, _PRERELEASES)]


def _architecture(name: str) -> str:
    return _ARCHITECTURES.get(name.lower(), name.lower())
