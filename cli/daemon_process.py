"""A daemon as a child of `dev` and `run`: started, started again when it dies unasked, ended when asked.

It leads a session of its own, so that Ctrl-C on the terminal reaches only the parent, which then ends its
daemons in the right order; and it is told its parent's pid, so that it ends when the parent is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from sliceworks.protocol.errors import SliceworksError
from sliceworks.protocol.process import wait_dead

RESTART_SECONDS: Final = (0.2, 5.0)  # back-off between restarts
STEADY_SECONDS: Final = 30  # a daemon that lived so long begins with a short back-off again
LOG_LINES: Final = 5


class DaemonEndedError(SliceworksError):
    """A daemon ended before it was ready; its own message stands above, or in its log."""


class DaemonProcess:
    """One daemon; `name` is the command that it runs, `log` a file for its output (None: our stderr).

    After a death it is started again in `restart_seconds`: the first wait, and the longest.
    """

    def __init__(
        self,
        name: str,
        *,
        log: Path | None,
        end_seconds: float,
        restart_seconds: tuple[float, float] = RESTART_SECONDS,
    ) -> None:
        self.name = name
        self._restart_seconds = restart_seconds
        self._end_seconds = end_seconds
        self._log = log
        self._arguments: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the running process; 0 before the first start."""
        return self._process.pid if self._process else 0

    def start(self, *arguments: str) -> None:
        """Start it with these arguments; a restart uses the same."""
        self._arguments = list(arguments)
        self._spawn()

    def restart_with(self, *arguments: str) -> None:
        """From now on a restart uses these."""
        self._arguments = list(arguments)

    def ensure_running(self) -> None:
        """DaemonEndedError, with the end of its log, if the daemon has ended."""
        code = self._process.poll() if self._process else None
        if code is None:
            return
        message = f"the {self.name} did not start: it {_ending(code)}"
        tail = self._log.read_text(errors="replace").splitlines()[-LOG_LINES:] if self._log else []
        raise DaemonEndedError("\n".join([message, *tail]))

    async def keep_running(self, say: Callable[[str], None]) -> None:
        """Start it again, with back-off, whenever it ends; returns never, is cancelled."""
        loop = asyncio.get_running_loop()
        wait, longest = self._restart_seconds
        while True:
            started = loop.time()
            code = await self._ended()
            if loop.time() - started > STEADY_SECONDS:
                wait = self._restart_seconds[0]
            say(f"the {self.name} {_ending(code)}; starting it again in {wait:g} s")
            await asyncio.sleep(wait)
            wait = min(wait * 2, longest)
            self._spawn()

    async def end(self) -> None:
        """SIGTERM, and wait for its end; a daemon that hangs is killed."""
        if self._process is None:
            return
        self._process.terminate()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._end_seconds):
                await self._ended()
        self.kill()
        await self._ended()

    def kill(self) -> None:
        """SIGKILL, for who asks twice."""
        if self._process is not None:
            self._process.kill()

    async def _ended(self) -> int:
        process = self._process
        if process is None or process.poll() is not None:
            return process.returncode if process else 0
        pidfd = os.pidfd_open(process.pid)
        try:
            await wait_dead(pidfd)
        finally:
            os.close(pidfd)
        return process.wait()

    def _spawn(self) -> None:
        # -P: no module of the folder that the person happens to be in takes the place of one of ours
        command = [sys.executable, "-P", "-m", "sliceworks.cli", self.name, *self._arguments]
        with contextlib.ExitStack() as stack:
            stderr = stack.enter_context(self._log.open("ab")) if self._log else None
            self._process = subprocess.Popen(
                [*command, "--end-with", str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=stderr or sys.stderr,
                stderr=stderr,
                start_new_session=True,
            )


@asynccontextmanager
async def ended_at_exit(daemon: DaemonProcess) -> AsyncIterator[DaemonProcess]:
    """The daemon, ended when the block is left, however it is left."""
    try:
        yield daemon
    finally:
        await daemon.end()


def _ending(code: int) -> str:
    return f"ended with exit code {code}" if code >= 0 else f"was killed by signal {-code}"
