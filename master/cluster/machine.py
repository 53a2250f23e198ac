"""The cluster machine: everything that the master decides, and nothing that it does.

`handle(event, now)` changes the state and returns effects.  Nothing here waits, reads a clock, draws a random
number or touches a file, so a test can run a whole cluster through any history.  What must be durable first
is: it comes as `Save`, and what depends on it comes out of its `Saved`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sliceworks.master.cluster import assets, controllers, jobs, nodes, verbs
from sliceworks.master.cluster import effects as ef
from sliceworks.master.cluster import events as ev
from sliceworks.master.cluster.core import NODE, Core
from sliceworks.master.cluster.model import (
    Attached,
    Ending,
    Execution,
    Gone,
    Leaving,
    Limits,
    Lost,
    Missing,
    Spawning,
)
from sliceworks.master.cluster.placement import rebalance, sync
from sliceworks.master.cluster.settling import settle
from sliceworks.master.store.records import StoredExecution
from sliceworks.protocol.messages import SaveAndEnd
from sliceworks.protocol.process import Identity

_REACTIONS: Final[dict[type, Callable[[Core, Any], None]]] = {
    ev.Saved: lambda core, event: core.saved(event.number),
    ev.SaveRefused: lambda core, event: core.refused(event.number, event.error),
    ev.StartRequested: verbs.start,
    ev.StopRequested: verbs.stop,
    ev.PauseRequested: verbs.pause,
    ev.ResumeRequested: verbs.resume,
    ev.WorkersRequested: verbs.change_workers,
    ev.LogLevelRequested: verbs.change_log_level,
    ev.JobSaveRequested: jobs.save_job,
    ev.JobDeleteRequested: jobs.delete_job,
    ev.AssetAddRequested: assets.add,
    ev.AssetDeleteRequested: assets.delete,
    ev.DrainRequested: nodes.drain,
    ev.ReturnRequested: nodes.resume,
    ev.ControllerSpawned: controllers.spawned,
    ev.ControllerAttached: controllers.attached,
    ev.ControllerReported: controllers.reported,
    ev.ControllerConcluded: controllers.concluded,
    ev.ControllerDetached: controllers.detached,
    ev.ControllerExited: controllers.exited,
    ev.ControllerUnfit: controllers.unfit,
    ev.StoreInspected: controllers.inspected,
    ev.NodeAttached: nodes.attached,
    ev.NodeReported: nodes.reported,
    ev.NodeDetached: nodes.detached,
}
_REQUESTS: Final = (
    ev.StartRequested
    | ev.StopRequested
    | ev.PauseRequested
    | ev.ResumeRequested
    | ev.WorkersRequested
    | ev.LogLevelRequested
    | ev.JobSaveRequested
    | ev.JobDeleteRequested
    | ev.AssetAddRequested
    | ev.AssetDeleteRequested
    | ev.DrainRequested
    | ev.ReturnRequested
)


class ClusterMachine:
    """The cluster under one master."""

    def __init__(self, limits: Limits) -> None:
        self.core = Core(limits)

    def handle(self, event: ev.Event, now: ev.Now) -> list[ef.Effect]:
        """Take in one event."""
        core = self.core
        core.now = now
        self._react(event)
        self._settle()
        core.flush()
        if core.closing and not self.processes():
            core.emit(ef.Alone())
        effects, core.effects = core.effects, []
        return effects

    def next_deadline_ms(self) -> int | None:
        """When `TimePassed` is wanted, on the monotonic clock."""
        return self.core.timers.next_ms()

    def processes(self) -> dict[str, Identity | None]:
        """The controllers that run now, by execution; None for one that is being started."""
        found: dict[str, Identity | None] = {}
        for ex_id, execution in self.core.executions.items():
            match execution.controller:
                case Missing(identity) | Attached(identity) | Leaving(identity) | Ending(identity):
                    found[ex_id] = identity
                case Spawning():
                    found[ex_id] = None
        return found

    def _react(self, event: ev.Event) -> None:
        core = self.core
        if core.closing and isinstance(event, _REQUESTS):
            core.emit(ef.Reject(event.request, verbs.closing_error()))
            return
        match event:
            case ev.Restored():
                _restore(core, event)
            case ev.TimePassed():
                _look_at_due(core)
            case ev.Stalled():
                _forgive_silence(core)
            case ev.Closing():
                _close(core)
            case _:
                _REACTIONS[type(event)](core, event)

    def _settle(self) -> None:
        """Until nothing is left to look at: one thing's step may be another one's cause."""
        core = self.core
        while core.touched or core.touched_nodes or core.rebalance:
            if core.rebalance:
                rebalance(core)
            while core.touched:
                execution = core.executions.get(core.touched.popitem()[0])
                if execution is not None:
                    settle(core, execution)
            while core.touched_nodes:
                node = core.nodes.get(core.touched_nodes.popitem()[0])
                if node is not None:
                    nodes.settle(core, node)
                    sync(core, node)


def _restore(core: Core, event: ev.Restored) -> None:
    """Take over from the master before: nodes are silent and controllers missing or gone until they speak."""
    core.totals, core.key = event.totals, event.key
    for record in event.nodes:
        core.nodes[record.node_id] = nodes.known(record, since_ms=core.now.monotonic_ms)
        core.touched_nodes[record.node_id] = None
    core.assets = {asset.asset_id: asset for asset in event.assets}
    for stored in event.executions:
        _take_over(core, stored, is_alive=stored.row.ex_id in event.alive)
    assets.forget_unused(core, tuple(core.assets))


def _take_over(core: Core, stored: StoredExecution, *, is_alive: bool) -> None:
    row = stored.row
    execution = Execution(row, stored.document, durable=row)
    core.admit(execution)
    if row.port:
        execution.contact = (row.generation, row.secret, row.port)
    if row.wishes.stopping:
        execution.stop_at_ms = core.now.monotonic_ms + row.wishes.grace_ms
    if is_alive and row.controller:
        execution.controller = Missing(row.controller, core.now.monotonic_ms + core.limits.silence_ms)
        core.emit(ef.WatchController(row.ex_id, row.generation, row.controller))
        return
    core.change(execution, controller=None)
    if execution.is_terminal or row.fate.outcome:
        execution.controller = Gone(core.now.monotonic_ms)
    elif row.generation:
        controllers.inspect(core, execution, "")


def _look_at_due(core: Core) -> None:
    for kind, key in core.timers.due(core.now.monotonic_ms):
        if kind == NODE:
            core.touched_nodes[key] = None
        elif key in core.executions:
            core.touch(core.executions[key])


def _forgive_silence(core: Core) -> None:
    """This process did not look: whoever is silent gets a full new period."""
    now_ms = core.now.monotonic_ms
    for execution in core.executions.values():
        if isinstance(execution.controller, Missing):
            execution.controller = Missing(execution.controller.identity, now_ms + core.limits.silence_ms)
            core.touch(execution)
    for node_id, node in core.nodes.items():
        if isinstance(node.link, Lost):
            node.link = Lost(now_ms)
            core.touched_nodes[node_id] = None


def _close(core: Core) -> None:
    """Controllers save and end; who waits is told to come back."""
    core.closing = True
    for execution in core.executions.values():
        for waiter in execution.waiters:
            core.emit(ef.Reject(waiter.request, verbs.closing_error()))
        execution.waiters.clear()
        if isinstance(execution.controller, Attached):
            core.emit(ef.SendController(execution.controller.session, SaveAndEnd()))
