"""Holding a cluster in a state that passes in milliseconds, with SIGSTOP.

Nothing in the cluster knows of it: processes that are stopped are processes that are slow.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.acceptance.harness import Cluster, command_of

_LOOK_SECONDS = 0.0005


def spawner_of(cluster: Cluster) -> int:
    """The process that forks the master's children."""
    children = children_of(cluster.daemons["master"].pid)
    return next(pid for pid in children if "sliceworks.master.children" in command_of(pid))


def children_of(pid: int) -> set[int]:
    """The living children of a process, of whatever thread."""
    with suppress(OSError):
        return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    return set()


def send(signal_number: signal.Signals, pids: set[int]) -> None:
    """Signal what is still there."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal_number)


def freeze(pids: set[int]) -> None:
    """They run no further."""
    send(signal.SIGSTOP, pids)


def thaw(pids: set[int]) -> None:
    """They go on."""
    send(signal.SIGCONT, pids)


@contextmanager
def frozen_at_birth(spawner: int) -> Iterator[set[int]]:
    """Freeze every child that `spawner` forks within the block; the set grows as they come."""
    before = children_of(spawner)
    caught: set[int] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            born = children_of(spawner) - before - caught
            freeze(born)
            caught.update(born)
            time.sleep(_LOOK_SECONDS)

    watcher = threading.Thread(target=watch, name="freezer")
    watcher.start()
    try:
        yield caught
    finally:
        over.set()
        watcher.join()
