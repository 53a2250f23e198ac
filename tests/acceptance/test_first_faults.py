"""SIGKILL in mid-run: nothing is lost, nothing is accounted twice, and nobody has to do anything.

A daemon and a master that are killed are started again, as systemd would.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sliceworks.master.store.verify import verify_execution
from tests.acceptance.harness import Cluster
from tests.acceptance.jobs import delay, exporter, generated, written_ids
from tests.acceptance.kills import KILLS

SLICES = 300
IN_HAND = 4  # workers: as many slices may be worked on again


@pytest.mark.parametrize("victim", KILLS)
@pytest.mark.parametrize("file_per_slice", [False, True])
def test_a_kill_in_mid_run_loses_nothing(
    cluster: Cluster, output: Path, victim: str, file_per_slice: bool
) -> None:
    job = generated(delay(40), exporter(output, file_per_slice=file_per_slice), size=SLICES, workers=4)
    ex_id = cluster.submit(job)
    cluster.wait_completed(ex_id, SLICES * 2 // 5)
    kill: Callable[[Cluster, str], None] = KILLS[victim]
    kill(cluster, ex_id)
    assert cluster.wait_until_over(ex_id) == "completed"
    assert cluster.counts(ex_id) == {"pending": 0, "start": 0, "completed": SLICES, "error": 0}
    report = verify_execution(cluster.store(ex_id))
    assert report.ok, report.differences
    cluster.wait_until_gone(ex_id)  # until then a killed worker's last lines may be half written
    ids = written_ids(output)
    assert set(ids) == set(range(SLICES))
    again = sum(ids.values()) - SLICES
    assert again == 0 if file_per_slice else again <= IN_HAND
