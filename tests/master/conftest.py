"""A master that is played with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.master.played import PlayedMaster


@pytest.fixture
async def master(tmp_path: Path) -> AsyncIterator[PlayedMaster]:
    """A fresh one, without nodes."""
    async with PlayedMaster.open(tmp_path) as played:
        yield played
