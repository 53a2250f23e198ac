"""Clusters of real processes for the contract tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.harness import Cluster, running_cluster
from tests.api_contract.comparison import Comparison
from tests.api_contract.early import Early
from tests.api_contract.stages import SLOTS, Running
from tests.api_contract.table import read_table

SETTINGS = {"state": {"durability": "process"}, "log_level": "warn"}


@pytest.fixture(autouse=True)
def _no_child_left() -> None:
    """Daemons outlive a test here: `Cluster.stop` sees that nothing is left."""


@pytest.fixture(scope="session")
def comparison() -> Comparison:
    """Of the whole table."""
    return Comparison(read_table())


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A cluster with room for everything."""
    folder = tmp_path_factory.mktemp("running")
    with running_cluster(folder, SLOTS, **SETTINGS) as cluster:
        yield Running(cluster, folder)


@pytest.fixture(scope="module")
def early(tmp_path_factory: pytest.TempPathFactory, comparison: Comparison) -> Iterator[Early]:
    """A cluster without a worker daemon, with the executions that its statuses need."""
    with running_cluster(tmp_path_factory.mktemp("early"), **SETTINGS) as cluster:
        stages = Early(cluster)
        calls = comparison.table.calls
        stages.prepare({column: comparison.needed(calls, column) for column in Early.ORDER})
        yield stages
        stages.thaw()


@pytest.fixture(scope="module")
def cluster(running: Running) -> Cluster:
    """The one where everything runs."""
    return running.cluster
