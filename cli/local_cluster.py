"""A master and one worker daemon on this machine, for as long as a block lasts.

They are processes like any others: only their data directories, below one folder, and the restart after a
death make them a cluster for one person.  The worker ends before the master, so that nothing is cut off.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from sliceworks.cli.client import Client
from sliceworks.cli.daemon_process import RESTART_SECONDS, DaemonEndedError, DaemonProcess, ended_at_exit
from sliceworks.cli.descendants import orphans_ended
from sliceworks.cli.interrupts import Interrupts
from sliceworks.protocol.config import Settings
from sliceworks.protocol.errors import ConfigError, UnavailableError

HOST: Final = "127.0.0.1"
PORT_FILE: Final = "master.port"
START_SECONDS: Final = 60
END_MARGIN_SECONDS: Final = 15


@dataclass(frozen=True, slots=True)
class ClusterPlan:
    """What to start; port 0: a free one; `logs`: a folder for the daemons' logs, None: our stderr."""

    data_dir: Path
    port: int
    settings: Settings
    logs: Path | None
    flags: tuple[str, ...] = ()  # more flags for both daemons
    restart_seconds: tuple[float, float] = RESTART_SECONDS

    @property
    def workers(self) -> int:
        """Slots of the one node."""
        return self.settings.workers

    @property
    def end_seconds(self) -> float:
        """How long a daemon may take to end, at most."""
        return self.settings.shutdown_timeout / 1000 + END_MARGIN_SECONDS


@asynccontextmanager
async def local_cluster(
    plan: ClusterPlan, wishes: Interrupts, say: Callable[[str], None]
) -> AsyncIterator[Client]:
    """Start a cluster, keep its daemons running, end it; `say` gets a line for each restart.

    DaemonEndedError if a daemon does not start, InterruptedAtStartError if the person does not wait for it.
    """
    _make_folders(plan)
    async with AsyncExitStack() as stack:
        stack.enter_context(orphans_ended())
        master = await stack.enter_async_context(ended_at_exit(_daemon("master", plan)))
        port = await _start_master(master, plan, wishes)
        api = await stack.enter_async_context(Client.open(f"http://{HOST}:{port}"))
        await _started(master, wishes, partial(_is_there, master, 0, api))
        worker = await stack.enter_async_context(ended_at_exit(_daemon("worker", plan)))
        wishes.hurry = worker.kill  # never the master: it ends its controllers
        _start_worker(worker, plan, port)
        await _started(worker, wishes, partial(_is_there, worker, plan.workers, api))
        await stack.enter_async_context(_kept_running((master, worker), say))
        yield api


async def _start_master(master: DaemonProcess, plan: ClusterPlan, wishes: Interrupts) -> int:
    """Returns the port that it listens on, or tries to."""
    folder = plan.data_dir / "master"
    told = folder / PORT_FILE
    before = _version(told)  # from an earlier start
    arguments = ("--bind", HOST, "--data-dir", str(folder), *plan.flags)
    master.start("--port", str(plan.port), *arguments)
    if plan.port:
        return plan.port

    async def has_told() -> bool:
        return _version(told) not in {None, before}

    await _started(master, wishes, has_told)
    port = int(told.read_text())
    master.restart_with("--port", str(port), *arguments)
    return port


def _start_worker(worker: DaemonProcess, plan: ClusterPlan, port: int) -> None:
    worker.start(
        *("--master-hostname", HOST, "--port", str(port)),
        *("--workers", str(plan.workers), "--data-dir", str(plan.data_dir / "worker")),
        *plan.flags,
    )


async def _started(
    daemon: DaemonProcess, wishes: Interrupts, is_ready: Callable[[], Awaitable[bool]]
) -> None:
    try:
        async with asyncio.timeout(START_SECONDS):
            while not await is_ready():
                daemon.ensure_running()
                wishes.check()
                await asyncio.sleep(0.02)
    except TimeoutError as error:
        message = f"the {daemon.name} was not ready in {START_SECONDS} s"
        raise DaemonEndedError(message) from error


async def _is_there(daemon: DaemonProcess, slots: int, api: Client) -> bool:
    """Whether the cluster state shows this very daemon; another master may have the port, and answer."""
    try:
        nodes = await api.cluster.nodes()
    except UnavailableError:
        return False
    return any(node.pid == daemon.pid and node.is_connected and node.total == slots for node in nodes)


@asynccontextmanager
async def _kept_running(
    daemons: tuple[DaemonProcess, ...], say: Callable[[str], None]
) -> AsyncIterator[None]:
    failure: Exception | None = None
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each.keep_running(say), name=f"keep {each.name}") for each in daemons]
        try:
            yield
        except Exception as error:  # noqa: BLE001 - raised below as it is, not in the group's envelope
            failure = error
        finally:
            for task in tasks:
                task.cancel()
    if failure:
        raise failure


def _daemon(name: str, plan: ClusterPlan) -> DaemonProcess:
    log = plan.logs / f"{name}.log" if plan.logs else None
    return DaemonProcess(name, log=log, end_seconds=plan.end_seconds, restart_seconds=plan.restart_seconds)


def _make_folders(plan: ClusterPlan) -> None:
    try:
        for folder in (plan.data_dir, plan.logs):
            if folder:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        message = (
            f"cannot make the data directory {plan.data_dir}: {error.strerror}; name another with --data-dir"
        )
        raise ConfigError(message) from error


def _version(path: Path) -> tuple[int, int] | None:
    """Changes when the file is written anew; None if it is not there or empty."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_ino, status.st_mtime_ns) if status.st_size else None
