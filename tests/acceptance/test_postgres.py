"""A cluster whose state is in PostgreSQL: kills, and restarts of the server, lose nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sliceworks.master.store.engine import StateStore
from sliceworks.master.store.verify import verify_execution
from tests.acceptance.harness import Cluster, eventually, running_cluster
from tests.acceptance.jobs import delay, exporter, generated, written_ids
from tests.postgres_server import PostgresServer, embedded_binaries, running

SLICES = 300
WORKERS = 4


@dataclass(frozen=True)
class Setup:
    """A cluster and its database."""

    server: PostgresServer
    cluster: Cluster
    state: StateStore

    def submit(self, output: Path) -> str:
        """300 slices of 20 ms that each write one line."""
        return self.cluster.submit(
            generated(
                delay(20), exporter(output, file_per_slice=True), size=SLICES, workers=WORKERS, name="pg"
            )
        )

    def check_nothing_lost(self, ex_id: str, output: Path) -> None:
        assert self.cluster.wait_until_over(ex_id) == "completed"
        assert self.cluster.counts(ex_id) == {"pending": 0, "start": 0, "completed": SLICES, "error": 0}
        with self.state.place(ex_id) as place:
            report = verify_execution(place)
        assert report.ok, report.differences
        assert written_ids(output) == dict.fromkeys(range(SLICES), 1)


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setup]:
    folder = tmp_path_factory.mktemp("cluster")
    with running(embedded_binaries()) as server:
        url = server.new_url()
        with running_cluster(folder, WORKERS, state={"url": url}) as cluster:
            yield Setup(server, cluster, StateStore(url, folder, "full"))


def test_a_killed_controller_loses_nothing(setup: Setup, output: Path) -> None:
    ex_id = setup.submit(output)
    setup.cluster.wait_completed(ex_id, SLICES // 3)
    os.kill(setup.cluster.pids("execution_controller", ex_id)[0], signal.SIGKILL)
    setup.check_nothing_lost(ex_id, output)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restarted_server_loses_nothing(setup: Setup, output: Path, mode: str) -> None:
    """Controllers and master wait for it; the API says meanwhile that it cannot answer."""
    ex_id = setup.submit(output)
    setup.cluster.wait_completed(ex_id, SLICES // 3)
    setup.server.stop(mode)
    eventually(lambda: setup.cluster.request("GET", f"/ex/{ex_id}").status == 503, "the API says 503")
    setup.server.start()
    setup.check_nothing_lost(ex_id, output)


def test_a_killed_master_takes_its_database_up_again(setup: Setup, output: Path) -> None:
    ex_id = setup.submit(output)
    setup.cluster.wait_completed(ex_id, SLICES // 3)
    setup.cluster.kill("master")
    setup.cluster.start("master")
    setup.check_nothing_lost(ex_id, output)
