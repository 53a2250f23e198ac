"""The life of a daemon process: its loop, its signals, its folder, and how it ends.

SIGTERM and SIGINT only set `stopping`; what a stop means is the daemon's own affair.  A daemon that cannot
start because of its configuration says so in one line instead of a traceback.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog
import uvloop

from sliceworks.protocol.errors import EXIT_CODE, ConfigError, SliceworksError
from sliceworks.protocol.notify import Notifier

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DaemonContext:
    """What a daemon's main gets."""

    stopping: asyncio.Event
    notify: Notifier


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
    async with asyncio.TaskGroup() as group:
        watchdog = group.create_task(_pat_watchdog(notify), name="watchdog")
        await main(context)
        watchdog.cancel()


def _stop(context: DaemonContext, number: signal.Signals) -> None:
    if context.stopping.is_set():
        log.info("signal_ignored", signal=number.name, reason="already stopping")
        return
    log.info("stopping", signal=number.name)
    context.notify.stopping()
    context.stopping.set()


async def _pat_watchdog(notify: Notifier) -> None:
    while notify.watchdog_seconds:
        notify.watchdog()
        await asyncio.sleep(notify.watchdog_seconds / 3)


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
