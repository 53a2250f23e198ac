"""The engines that the conformance suite holds to the contract; another one joins here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sliceworks.master.store.cluster import SqliteClusterStore
from sliceworks.master.store.contract import ClusterStore


@pytest.fixture(params=["sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ClusterStore]:
    """An empty store of each engine."""
    assert request.param == "sqlite"
    async with SqliteClusterStore.open(tmp_path / "cluster.db", durability="full") as opened:
        yield opened
