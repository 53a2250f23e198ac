"""A master that looks into uploads as the real one does, in children of a fork server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sliceworks.master.assets.inspection import BundleInspector, ImportLimits
from sliceworks.protocol.forkserver import ForkServer
from tests.master.played import PlayedMaster


@pytest.fixture
async def forks() -> AsyncIterator[ForkServer]:
    async with ForkServer.start("sliceworks.master.children") as server:
        yield server


@pytest.fixture
async def inspecting(tmp_path: Path, forks: ForkServer) -> AsyncIterator[PlayedMaster]:
    """A master whose imports may take 2 seconds, and 200 MB."""
    limits = ImportLimits(seconds=2, memory_bytes=200 * 1024**2)
    async with PlayedMaster.open(tmp_path / "master", bundles=BundleInspector(forks, limits)) as played:
        yield played


def listing(root: Path) -> dict[str, int]:
    """Every file and folder below, with its size, but those that the store keeps in motion."""
    return {
        str(path.relative_to(root)): path.stat().st_size if path.is_file() else -1
        for path in sorted(root.rglob("*"))
        if not path.name.startswith("cluster.db")
    }
