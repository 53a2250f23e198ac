"""The life of a daemon process: its loop, its signals, its folder, and how it ends.

SIGTERM and SIGINT only set `stopping`; what a stop means is the daemon's own affair.  A daemon that cannot
start because of its configuration says so in one line instead of a traceback.

A service manager is told that the daemon lives only when a message has gone through the mailbox of the loop
that takes work: a daemon that hangs falls silent, also when its event loop still turns.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import structlog
import uvloop

from sliceworks.protocol.errors import EXIT_CODE, ConfigError, SliceworksError
from sliceworks.protocol.notify import Notifier

log = structlog.get_logger(__name__)

REPORT_SECONDS: Final = 2.0
"""How often the service manager gets a new status line, and in the end more time."""

Pulse: TypeAlias = Callable[[], Awaitable[str]]
"""Goes once through the loop that takes work, and comes back with a status line."""


@dataclass(frozen=True, slots=True)
class DaemonContext:
    """What a daemon's main gets."""

    stopping: asyncio.Event
    notify: Notifier

    @contextlib.asynccontextmanager
    async def reporting(self, pulse: Pulse) -> AsyncIterator[None]:
        """The start is over when `pulse` has come back; in the block, each return of it is a sign of life.

        Once the daemon is stopping, each is also a request for more time, so that an end may take as long as
        it needs, and one that hangs is cut short.
        """
        if not self.notify.is_heard:
            yield
            return
        self.notify.ready(await pulse())
        async with asyncio.TaskGroup() as group:
            reports = group.create_task(self._report(pulse), name="service-manager")
            try:
                yield
            finally:
                reports.cancel()

    async def _report(self, pulse: Pulse) -> None:
        seconds = min(REPORT_SECONDS, self.notify.watchdog_seconds / 3 or REPORT_SECONDS)
        while not self.stopping.is_set():
            self.notify.alive(await pulse())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.stopping.wait()
        while True:
            self.notify.alive(f"stopping: {await pulse()}")
            self.notify.extend_timeout(seconds * 3)
            await asyncio.sleep(seconds)


def run_daemon(main: Callable[[DaemonContext], Awaitable[None]]) -> int:
    """Run `main` on uvloop until it returns; the exit code of the process.

    The first SIGTERM or SIGINT sets `stopping`, later ones change nothing.  Errors of ours become one line on
    stderr and an exit code; anything else is logged with its traceback and is exit code 1.
    """
    notify = Notifier.from_environment(os.environ)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_live(main, notify))
    except Exception as error:  # noqa: BLE001 - the end of a process: the one place that catches all
        return _explain(error)
    return 0


@contextlib.contextmanager
def lock_data_dir(path: Path) -> Iterator[None]:
    """Make the folder (0700) and be its only owner; ConfigError if another is, or it cannot be written.

    The lock is the kernel's: it ends with this process, however that ends.
    """
    with contextlib.ExitStack() as stack:
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = stack.enter_context((path / "lock").open("a+"))
        except OSError as error:
            message = f"data directory {path} is not writable ({error.strerror}): set another data_dir"
            raise ConfigError(message) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            message = f"data directory {path} is in use by process {owner}: stop it, or set another data_dir"
            raise ConfigError(message) from error
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


async def _live(main: Callable[[DaemonContext], Awaitable[None]], notify: Notifier) -> None:
    context = DaemonContext(asyncio.Event(), notify)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, context, number)
    await main(context)


def _stop(context: DaemonContext, number: signal.Signals) -> None:
    if context.stopping.is_set():
        log.info("signal_ignored", signal=number.name, reason="already stopping")
        return
    log.info("stopping", signal=number.name)
    context.notify.stopping()
    context.stopping.set()


def _explain(error: Exception) -> int:
    errors = list(_leaves(error))
    ours = [one for one in errors if isinstance(one, SliceworksError)]
    if len(ours) < len(errors):
        log.error("daemon_crashed", exc_info=error)
        return 1
    for one in ours:
        sys.stderr.write(f"sliceworks: {one}\n")
    return EXIT_CODE[ours[0].code]


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        yield error
        return
    for inner in error.exceptions:
        yield from _leaves(inner)
