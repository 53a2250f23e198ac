"""What a dead fork server leaves is reaped."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

from sliceworks.worker.orphans import reap, reaping


async def test_a_child_that_ends_is_reaped_and_its_owner_can_still_wait() -> None:
    loop = asyncio.get_running_loop()
    with reaping():
        child = subprocess.Popen([sys.executable, "-c", ""])  # noqa: ASYNC220 - a child of ours is the point
        dead = asyncio.Event()
        pidfd = os.pidfd_open(child.pid)
        loop.add_reader(pidfd, dead.set)
        async with asyncio.timeout(10):
            await dead.wait()
            while os.path.exists(f"/proc/{child.pid}"):  # noqa: ASYNC110, ASYNC240, PTH110 - until it is reaped
                await asyncio.sleep(0.001)
        loop.remove_reader(pidfd)
        os.close(pidfd)
        assert child.wait() == 0
    assert signal.getsignal(signal.SIGCHLD) in (signal.SIG_DFL, signal.SIG_IGN)


def test_without_children_there_is_nothing_to_reap() -> None:
    reap()
