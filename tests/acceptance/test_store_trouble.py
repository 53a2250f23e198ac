"""A state store that cannot be written for a while: work waits, verbs are refused, nothing is lost."""

from __future__ import annotations

import http.client
import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from sliceworks.master.store.verify import verify_execution
from tests.acceptance.harness import Cluster, running_cluster
from tests.acceptance.jobs import delay, exporter, generated, noop, written_ids

SLICES = 1_500


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB where the master's data will be."""
    folder = tmp_path / "master"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount a tmpfs")
    options = "size=6m,mode=700"
    mount = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
    done = subprocess.run(mount, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.decode()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def reason(cluster: Cluster, ex_id: str) -> str:
    return str(cluster.get(f"/ex/{ex_id}").get("_status_reason", ""))


def refused(cluster: Cluster, path: str, body: Any = None) -> bool:
    """Whether a verb is answered 503 with a hint when to ask again."""
    connection = http.client.HTTPConnection("127.0.0.1", cluster.port, timeout=60)
    with closing(connection):
        connection.request("POST", path, json.dumps(body or {}).encode())
        response = connection.getresponse()
        message = json.loads(response.read()).get("message", "")
        if response.status != http.HTTPStatus.SERVICE_UNAVAILABLE:
            return False
        assert int(response.headers["Retry-After"]) > 0
        assert "cannot be written" in message
        return True


@contextmanager
def locked(store: Path) -> Iterator[None]:
    """Somebody else writes to a store, and takes long."""
    with closing(sqlite3.connect(store, isolation_level=None, timeout=30)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def test_a_full_disk_is_waited_for(tmp_path: Path, small_disk: Path) -> None:
    output = tmp_path / "output"
    with running_cluster(tmp_path, 2) as cluster:
        job = generated(delay(2), exporter(output, file_per_slice=True), size=SLICES, workers=2)
        ex_id = cluster.submit(job)
        cluster.wait_completed(ex_id, 100)
        fill(small_disk / "filler")
        cluster.eventually(
            lambda: "disk is full" in reason(cluster, ex_id), "the execution says why it waits"
        )
        cluster.eventually(lambda: refused(cluster, "/jobs", generated(noop(), size=1)), "verbs are refused")
        assert cluster.status(ex_id) == "running"
        subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
        assert cluster.wait_until_over(ex_id) == "completed"
        assert cluster.counts(ex_id) == {"pending": 0, "start": 0, "completed": SLICES, "error": 0}
        report = verify_execution(cluster.store(ex_id))
        assert report.ok, report.differences
        assert written_ids(output) == dict.fromkeys(range(SLICES), 1)
        cluster.wait_until_gone(ex_id)


def test_a_locked_store_of_an_execution_is_waited_for(cluster: Cluster) -> None:
    ex_id = cluster.submit(generated(delay(5), size=SLICES // 2, workers=2))
    cluster.wait_completed(ex_id, 50)
    with locked(cluster.store(ex_id)):
        cluster.eventually(lambda: "locked" in reason(cluster, ex_id), "the execution says why it waits")
    assert cluster.wait_until_over(ex_id) == "completed"
    assert cluster.counts(ex_id)["completed"] == SLICES // 2
    assert verify_execution(cluster.store(ex_id)).ok


def test_verbs_are_refused_while_the_store_of_the_cluster_is_locked(cluster: Cluster) -> None:
    job = generated(noop(), size=1)
    with locked(cluster.folder / "master" / "cluster.db"):
        cluster.eventually(lambda: refused(cluster, "/jobs", job), "verbs are refused", seconds=60)
        assert cluster.request("GET", "/jobs").status == http.HTTPStatus.OK
    ex_ids: list[str] = []

    def is_taken() -> bool:
        ex_ids.append(cluster.submit(job))
        return True

    cluster.eventually(is_taken, "verbs are accepted again")
    assert cluster.wait_until_over(ex_ids[-1]) == "completed"


def fill(file: Path) -> None:
    """Write until nothing fits any more."""
    with file.open("wb", buffering=0) as filler, pytest.raises(OSError, match="No space left"):
        while True:
            filler.write(bytes(4096))
