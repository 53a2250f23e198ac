"""`sliceworks dev`: ready means ready, a daemon that dies comes back, and at the end nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.commands import Running, command
from tests.acceptance.harness import Cluster, eventually
from tests.acceptance.jobs import delay, generated, noop


def test_ready_means_that_it_takes_work(tmp_path: Path) -> None:
    with command("dev", "--port", "0", "--workers", "2", "--data-dir", str(tmp_path)) as dev:
        cluster = connected(dev, tmp_path)
        ex_id = cluster.submit(generated(noop(), size=10, workers=2))
        assert cluster.wait_until_over(ex_id) == "completed"
        code, _ = dev.interrupt()
        assert code == 0
        dev.wait_until_nothing_is_left()


def test_a_daemon_that_dies_is_started_again_at_the_same_port(tmp_path: Path) -> None:
    with command("dev", "--port", "0", "--workers", "2", "--data-dir", str(tmp_path)) as dev:
        cluster = connected(dev, tmp_path)
        ex_id = cluster.submit(generated(delay(20), size=200, workers=2))
        cluster.wait_completed(ex_id, 20)
        for daemon in ("worker", "master"):
            pid = dev.daemon(daemon)
            os.kill(pid, signal.SIGKILL)
            eventually(lambda pid=pid, daemon=daemon: dev.daemon(daemon) != pid, f"{daemon} is back")  # type: ignore[misc]
        assert cluster.wait_until_over(ex_id) == "completed"
        assert cluster.counts(ex_id)["completed"] == 200
        code, errors = dev.interrupt()
        assert code == 0
        assert "the worker was killed by signal 9; starting it again" in errors
        assert "the master was killed by signal 9; starting it again" in errors
        dev.wait_until_nothing_is_left()


def test_when_it_is_killed_its_daemons_end_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLICEWORKS_SHUTDOWN_TIMEOUT", "1s")  # for results that nobody takes any more
    with command("dev", "--port", "0", "--workers", "1", "--data-dir", str(tmp_path)) as dev:
        cluster = connected(dev, tmp_path)
        ex_id = cluster.submit(generated(delay(10), size=5, workers=1, lifecycle="persistent"))
        cluster.wait_completed(ex_id, 1)
        dev.process.kill()
        dev.wait_until_nothing_is_left()


def test_a_second_ctrl_c_does_not_wait_for_slices_in_hand(tmp_path: Path) -> None:
    with command("dev", "--port", "0", "--workers", "1", "--data-dir", str(tmp_path)) as dev:
        cluster = connected(dev, tmp_path)
        ex_id = cluster.submit(generated(delay(600_000), size=1, workers=1))
        cluster.eventually(lambda: cluster.counts(ex_id)["start"] == 1, "the slice is in hand")
        dev.process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            dev.process.wait(1)
        assert dev.interrupt()[0] == 0
        dev.wait_until_nothing_is_left()


def test_a_daemon_that_does_not_start_ends_it(tmp_path: Path) -> None:
    (tmp_path / "master").write_text("in the way")
    with command("dev", "--port", "0", "--data-dir", str(tmp_path)) as dev:
        output, errors = dev.process.communicate(timeout=60)
        assert dev.process.returncode == 1
        assert output == ""
        assert "the master did not start" in errors
        assert "data directory" in errors


def connected(dev: Running, folder: Path) -> Cluster:
    """The cluster's API, from what `dev` says of it."""
    word, url = dev.line().split()
    assert word == "ready"
    assert url.startswith("http://127.0.0.1:")
    return Cluster(folder, port=int(url.rpartition(":")[2]))
