"""The processes below this one, from /proc: the daemons of a local cluster, and what they leave behind."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sliceworks.protocol.process import kill_group, set_child_subreaper

_FORKED: Final = "\0sliceworks.protocol.forkserver\0"


def children(pid: int) -> list[int]:
    """Of all threads of a process; empty if it is gone."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(child) for child in task.read_text().split()]
    return found


def command_line(pid: int) -> str:
    """Its words, each one followed by a zero; empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""


@contextmanager
def orphans_ended() -> Iterator[None]:
    """When the block ends, no controller is left of a master that was killed before it could end them.

    Controllers outlive their master, for the next one to take over; where there will be none, nobody else
    would ever end them.  To find them, they become children of this process when their master dies.
    """
    set_child_subreaper()
    try:
        yield
    finally:
        while orphans := [pid for pid in children(os.getpid()) if _FORKED in command_line(pid)]:
            for pid in orphans:
                kill_group(pid)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, 0)
