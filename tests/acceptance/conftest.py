"""Clusters of real processes, one for each test file that wants one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.harness import Cluster, running_cluster


@pytest.fixture(autouse=True)
def _no_child_left() -> None:
    """Daemons outlive a test here: `Cluster.stop` sees that nothing is left."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A master and one node with four slots."""
    with running_cluster(tmp_path_factory.mktemp("cluster"), 4) as running:
        yield running


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A folder for `file_exporter`."""
    return tmp_path / "output"
