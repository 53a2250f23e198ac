"""A cluster machine with a store, controllers and nodes that are only played."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sliceworks.master.cluster import effects as ef
from sliceworks.master.cluster import events as ev
from sliceworks.master.cluster.machine import ClusterMachine
from sliceworks.master.cluster.model import Limits
from sliceworks.master.store.records import (
    AddExecution,
    AssetRecord,
    ExecutionRow,
    ForgetAsset,
    ForgetNode,
    NodeRecord,
    SaveAsset,
    SaveExecution,
    SaveNode,
    SaveTotals,
    StoredExecution,
    Totals,
)
from sliceworks.protocol.messages import (
    Assignment,
    ControllerOutcome,
    ControllerReport,
    LinkInfo,
    NodeState,
    SliceCounts,
    Statistics,
    WorkerInfo,
)
from sliceworks.protocol.process import Identity
from sliceworks.protocol.states import ExecutionStatus

E = TypeVar("E")

START_MS = 1_000_000
WALL_MS = 1_700_000_000_000


def report(phase: str = "running", **fields: Any) -> ControllerReport:
    """What a controller says."""
    given = {
        "reason": "",
        "failure": "",
        "statistics": Statistics(),
        "counts": SliceCounts(),
        "operations": [],
    }
    return ControllerReport(phase=phase, **{**given, **fields})


def worker(worker_id: int, ex_id: str, state: str = "idle") -> WorkerInfo:
    """One worker of a node."""
    return WorkerInfo(worker_id, 10_000 + worker_id, ex_id, state)


@dataclass
class StoreModel:
    """What is durable."""

    rows: dict[str, ExecutionRow] = field(default_factory=dict)
    documents: dict[str, bytes] = field(default_factory=dict)
    nodes: dict[str, NodeRecord] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    assets: dict[str, AssetRecord] = field(default_factory=dict)

    def apply(self, save: ef.Save) -> None:
        for change in save.changes:
            match change:
                case AddExecution(row, document):
                    self.rows[row.ex_id], self.documents[row.ex_id] = row, document
                case SaveExecution(row):
                    self.rows[row.ex_id] = row
                case SaveNode(node):
                    self.nodes[node.node_id] = node
                case ForgetNode(node_id):
                    self.nodes.pop(node_id, None)
                case SaveTotals(totals):
                    self.totals = totals
                case SaveAsset(asset):
                    self.assets[asset.asset_id] = asset
                case ForgetAsset(asset_id):
                    del self.assets[asset_id]


class Rig:
    """Saves succeed at once unless `hold_saves`; everything else is told by the test."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.machine = ClusterMachine(self.limits)
        self.store = StoreModel()
        self.now_ms = START_MS
        self.hold_saves = False
        self.held: list[ef.Save] = []
        self.effects: list[ef.Effect] = []
        self.sessions = 0
        self.requests = 0
        self.node_sessions: dict[str, int] = {}
        self.controller_sessions: dict[str, int] = {}

    # --- driving

    def tell(self, event: ev.Event) -> None:
        """One event in; saves are made durable, and told."""
        pending = [event]
        while pending:
            effects = self.machine.handle(pending.pop(0), self.now)
            self.effects += effects
            for save in (effect for effect in effects if isinstance(effect, ef.Save)):
                if self.hold_saves:
                    self.held.append(save)
                else:
                    self.store.apply(save)
                    pending.append(ev.Saved(save.number))

    def release_saves(self) -> None:
        """What was held becomes durable."""
        while self.held:
            save = self.held.pop(0)
            self.store.apply(save)
            self.tell(ev.Saved(save.number))
        self.hold_saves = False

    def pass_time(self, milliseconds: int) -> None:
        """Let time pass, looking whenever the machine asked for it."""
        end_ms = self.now_ms + milliseconds
        while (due_ms := self.machine.next_deadline_ms()) is not None and due_ms <= end_ms:
            self.now_ms = max(self.now_ms, due_ms)
            self.tell(ev.TimePassed())
        self.now_ms = end_ms

    def restart(self, alive: frozenset[str] = frozenset()) -> None:
        """Another master takes over from the store."""
        self.machine = ClusterMachine(self.limits)
        self.held = []
        self.effects.clear()
        stored = tuple(
            StoredExecution(row, self.store.documents[ex_id])
            for ex_id, row in self.store.rows.items()
            if not is_over(row) or row.controller
        )
        nodes, assets = tuple(self.store.nodes.values()), tuple(self.store.assets.values())
        self.tell(ev.Restored(stored, alive, nodes, self.store.totals, b"key", assets))

    def take(self, kind: type[E]) -> list[E]:
        """The effects of a kind since they were taken last."""
        found: list[E] = [effect for effect in self.effects if isinstance(effect, kind)]
        self.effects = [effect for effect in self.effects if not isinstance(effect, kind)]
        return found

    @property
    def now(self) -> ev.Now:
        return ev.Now(self.now_ms, WALL_MS + self.now_ms)

    # --- clients

    def request(self) -> int:
        self.requests += 1
        return self.requests

    def start(self, ex_id: str = "ex", *, workers: int = 1, document: bytes = b"{}") -> int:
        """Submit an execution of a job of its own."""
        request = self.request()
        self.tell(
            ev.StartRequested(
                request,
                f"job of {ex_id}",
                None,
                ex_id=ex_id,
                name=ex_id,
                workers=workers,
                document=document,
            )
        )
        return request

    def stop(self, ex_id: str = "ex", *, grace_ms: int = 60_000, wait_ms: int | None = 75_000) -> int:
        request = self.request()
        self.tell(ev.StopRequested(request, ex_id, grace_ms, wait_ms))
        return request

    def pause(self, ex_id: str = "ex") -> int:
        request = self.request()
        self.tell(ev.PauseRequested(request, ex_id))
        return request

    def resume(self, ex_id: str = "ex") -> int:
        request = self.request()
        self.tell(ev.ResumeRequested(request, ex_id))
        return request

    def change_workers(self, change: ev.WorkersChange, ex_id: str = "ex") -> int:
        request = self.request()
        self.tell(ev.WorkersRequested(request, ex_id, change))
        return request

    def change_log_level(self, level: str, ex_id: str = "ex") -> int:
        request = self.request()
        self.tell(ev.LogLevelRequested(request, ex_id, level))
        return request

    def delete_job(self, job_id: str) -> int:
        request = self.request()
        self.tell(ev.JobDeleteRequested(request, job_id))
        return request

    def drain_node(self, node_id: str = "node") -> int:
        request = self.request()
        self.tell(ev.DrainRequested(request, node_id))
        return request

    def resume_node(self, node_id: str = "node") -> int:
        request = self.request()
        self.tell(ev.ReturnRequested(request, node_id))
        return request

    def answer(self, request: int) -> ef.Reply | Exception | None:
        """What a request was told, if it was."""
        for effect in self.effects:
            match effect:
                case ef.Answer(number, reply) if number == request:
                    return reply
                case ef.Reject(number, error) if number == request:
                    return error
        return None

    # --- controllers

    def spawned(self, ex_id: str = "ex") -> Identity:
        """Carry out the newest order for a controller."""
        order = [effect for effect in self.effects if isinstance(effect, ef.SpawnController)][-1]
        assert order.ex_id == ex_id
        identity = Identity(1_000 + order.generation, order.generation, "boot")
        self.tell(ev.ControllerSpawned(ex_id, order.generation, identity))
        return identity

    def attached(self, ex_id: str = "ex") -> int:
        """The controller says hello."""
        self.sessions += 1
        self.controller_sessions[ex_id] = self.sessions
        self.tell(ev.ControllerAttached(ex_id, self.generation(ex_id), self.sessions, 4_000))
        return self.sessions

    def reported(self, ex_id: str = "ex", phase: str = "running", **fields: Any) -> None:
        self.tell(ev.ControllerReported(ex_id, self.controller_sessions[ex_id], report(phase, **fields)))

    def concluded(self, status: str, ex_id: str = "ex", *, failure: str = "", **fields: Any) -> None:
        outcome = ControllerOutcome(status, failure, report("stopping", **fields))
        self.tell(ev.ControllerConcluded(ex_id, self.controller_sessions[ex_id], outcome))

    def exited(self, ex_id: str = "ex", how: str = "it was ended by signal 9") -> None:
        self.tell(ev.ControllerExited(ex_id, self.generation(ex_id), how))

    def inspected(
        self,
        ex_id: str = "ex",
        outcome: ControllerOutcome | None = None,
        *,
        counts: SliceCounts | None = None,
    ) -> None:
        self.tell(ev.StoreInspected(ex_id, self.generation(ex_id), outcome, counts or SliceCounts()))

    def crash(self, ex_id: str = "ex", *, counts: SliceCounts | None = None) -> None:
        """The controller dies and left no outcome."""
        self.exited(ex_id)
        self.inspected(ex_id, counts=counts)

    def run(self, ex_id: str = "ex", *, workers: int = 1, slots: int = 4) -> None:
        """An execution that runs on one node, in short."""
        if "node" not in self.node_sessions:
            self.node("node", slots=slots)
        self.start(ex_id, workers=workers)
        self.spawned(ex_id)
        self.attached(ex_id)
        self.reported(ex_id)
        self.node_reports("node", [worker(number, ex_id) for number in range(1, workers + 1)])

    # --- nodes

    def node(self, node_id: str = "node", *, slots: int = 4, incarnation: str = "first") -> None:
        """A worker daemon comes, and says that nothing runs on it."""
        self.node_hello(node_id, slots=slots, incarnation=incarnation)
        self.node_reports(node_id, [])

    def node_hello(self, node_id: str = "node", *, slots: int = 4, incarnation: str = "first") -> None:
        self.sessions += 1
        self.node_sessions[node_id] = self.sessions
        record = NodeRecord(node_id, incarnation, "host", 7, slots, "3.11", "1")
        self.tell(ev.NodeAttached(self.sessions, record))

    def node_reports(
        self,
        node_id: str,
        workers: list[WorkerInfo],
        *,
        links: list[LinkInfo] | None = None,
        revision: int | None = None,
        draining: bool = False,
    ) -> None:
        """The node tells what it runs, after the newest assignments."""
        newest = self.machine.core.nodes[node_id].revision if revision is None else revision
        state = NodeState(workers, links or [], newest, draining)
        self.tell(ev.NodeReported(node_id, self.node_sessions[node_id], state))

    def node_lost(self, node_id: str = "node") -> None:
        self.tell(ev.NodeDetached(node_id, self.node_sessions[node_id]))

    def assigned(self, node_id: str = "node") -> dict[str, Assignment]:
        """What the node was told last."""
        session = self.node_sessions[node_id]
        sent = [
            effect for effect in self.effects if isinstance(effect, ef.SendNode) and effect.session == session
        ]
        return {item.ex_id: item for item in sent[-1].message.items} if sent else {}

    # --- looking

    def row(self, ex_id: str = "ex") -> ExecutionRow:
        """The execution as it is stored."""
        return self.store.rows[ex_id]

    def status(self, ex_id: str = "ex") -> ExecutionStatus:
        return self.row(ex_id).status

    def generation(self, ex_id: str = "ex") -> int:
        return self.machine.core.executions[ex_id].row.generation

    def placement(self, ex_id: str = "ex") -> Mapping[str, int]:
        return self.row(ex_id).placement

    def to_controller(self, ex_id: str = "ex") -> list[Any]:
        """What the newest session of the controller was sent."""
        session = self.controller_sessions[ex_id]
        return [
            effect.message
            for effect in self.effects
            if isinstance(effect, ef.SendController) and effect.session == session
        ]


def is_over(row: ExecutionRow) -> bool:
    """Whether a stored execution has ended."""
    return row.status in {"completed", "stopped", "rejected", "failed", "terminated"}
