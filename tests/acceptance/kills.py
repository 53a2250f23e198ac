"""The ways to kill a part of a cluster in mid-run."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from tests.acceptance.harness import Cluster


def kill_worker(cluster: Cluster, ex_id: str) -> None:
    """One of the worker processes."""
    os.kill(cluster.pids("worker", ex_id)[0], signal.SIGKILL)


def kill_controller(cluster: Cluster, ex_id: str) -> None:
    """The execution controller."""
    os.kill(cluster.pids("execution_controller", ex_id)[0], signal.SIGKILL)


def kill_daemon(cluster: Cluster, ex_id: str) -> None:
    """The worker daemon, started again."""
    cluster.kill("worker")
    cluster.start("worker")


def kill_master(cluster: Cluster, ex_id: str) -> None:
    """The master, started again."""
    cluster.kill("master")
    cluster.start("master")


KILLS: dict[str, Callable[[Cluster, str], None]] = {
    "worker": kill_worker,
    "controller": kill_controller,
    "daemon": kill_daemon,
    "master": kill_master,
}
