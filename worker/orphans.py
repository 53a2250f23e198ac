"""Reaping what a dead fork server left to this daemon.

The daemon is a child subreaper.  Its only child is the fork server, which reaps the workers and their
orphans; when it dies, all of them become the daemon's.  Reaping here takes nothing from anybody: the exit of
a worker is told by the fork server or seen at its pidfd, and a fork server that is reaped already is known
to be dead.

The handler is not the loop's, because uvloop keeps SIGCHLD for processes that it started itself (there are
none).
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def reaping() -> Iterator[None]:
    """Reap every child of this process that ends."""
    before = signal.signal(signal.SIGCHLD, lambda *_: reap())
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, before)


def reap() -> None:
    """Reap every child that has ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
