"""One job on a cluster of its own: submit it, show where it stands, stop it when the person asks."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sliceworks.cli.client import Client, Counts
from sliceworks.cli.interrupts import Interrupts, interrupts
from sliceworks.cli.local_cluster import ClusterPlan, local_cluster
from sliceworks.cli.output import say
from sliceworks.cli.progress import Display, Snapshot, display
from sliceworks.protocol.errors import UnavailableError
from sliceworks.protocol.states import TERMINAL_STATUSES, ExecutionStatus

LOOK_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended."""

    execution: dict[str, Any]
    counts: Counts
    seconds: float
    data_dir: Path

    @property
    def status(self) -> ExecutionStatus:
        """A terminal one."""
        return ExecutionStatus(self.execution["_status"])


async def run_job(job: bytes, plan: ClusterPlan) -> RunResult:
    """Start the cluster, run the job to its end, end the cluster.

    DaemonEndedError and InterruptedAtStartError as `local_cluster`; InvalidError if the job is refused.
    """
    with interrupts() as wishes:
        async with local_cluster(plan, wishes, say) as api:
            started = time.monotonic()
            ex_id = (await api.jobs.submit(job)).ex_id
            with display() as shown:
                execution, counts = await _follow(api, ex_id, wishes=wishes, shown=shown)
            return RunResult(execution, counts, time.monotonic() - started, plan.data_dir)


async def _follow(
    api: Client, ex_id: str, *, wishes: Interrupts, shown: Display
) -> tuple[dict[str, Any], Counts]:
    """Look at the execution until it is over; a master that is being started again is waited for."""
    asked = False
    while True:
        with contextlib.suppress(UnavailableError):
            if wishes.stopping.is_set() and not asked:
                await api.executions.stop(ex_id, blocking=False)
                asked = True
            execution = (await api.executions.get(ex_id)).document
            counts = await api.executions.counts(ex_id)
            shown.show(snapshot_of(execution, counts))
            if execution["_status"] in TERMINAL_STATUSES:
                return execution, counts
        await _pause(wishes, asked=asked)


async def _pause(wishes: Interrupts, *, asked: bool) -> None:
    """Wait for the next look; a wish to stop that was not yet passed on cuts it short."""
    if asked:
        await asyncio.sleep(LOOK_SECONDS)
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LOOK_SECONDS):
            await wishes.stopping.wait()


def snapshot_of(execution: dict[str, Any], counts: Counts) -> Snapshot:
    """What the display shows; records are those that the reader gave."""
    operations = execution.get("_analytics") or [{}]
    statistics = execution.get("_slicer_stats") or {}
    return Snapshot(
        status=execution["_status"],
        done=counts.done,
        made=counts.made,
        failed=counts.error,
        records=operations[0].get("records_out", 0),
        sliced=bool(statistics.get("queuing_complete")),
    )
