"""Processes and nodes round one machine; they behave, die and come back as drawn, and all is checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sliceworks.master.cluster import effects as ef
from sliceworks.master.cluster import events as ev
from sliceworks.master.cluster.model import Connected, Limits
from sliceworks.master.store.records import NodeRecord
from sliceworks.protocol.messages import (
    Assignments,
    ControllerOutcome,
    LinkInfo,
    NodeState,
    SliceCounts,
    WorkerInfo,
)
from sliceworks.protocol.process import Identity
from sliceworks.protocol.states import INIT_STATUSES, RUNNING_STATUSES, TERMINAL_STATUSES
from tests.master.cluster.rig import Rig, StoreModel, report

SLOTS = 3
NODES = ("node-0", "node-1", "node-2")
SLOTS_OF_JOBS = 3
LIMITS = Limits(disconnect_ms=50_000, margin_ms=5_000)


@dataclass
class PlayedNode:
    """A worker daemon."""

    node_id: str
    incarnation: int = 1
    session: int | None = None
    lost_ms: int = 0
    told: Assignments = field(default_factory=lambda: Assignments(0, []))
    workers: dict[str, int] = field(default_factory=dict)
    failing: bool = False
    draining: bool = False

    def obey(self) -> None:
        """Run what was assigned, except what does not start."""
        wanted = {item.ex_id: item.workers for item in self.told.items}
        self.workers = {ex_id: count for ex_id, count in wanted.items() if count and not self.failing}

    def state(self) -> NodeState:
        infos = [
            WorkerInfo(number, number, ex_id, "idle")
            for ex_id, count in sorted(self.workers.items())
            for number in range(count)
        ]
        failures = 3 if self.failing else 0
        links = [LinkInfo(item.ex_id, connected=True, start_failures=failures) for item in self.told.items]
        return NodeState(infos, links, self.told.revision, self.draining)


class CheckedStore(StoreModel):
    """A store that nobody may abuse."""

    def apply(self, save: ef.Save) -> None:
        before = dict(self.rows)
        super().apply(save)
        for ex_id, row in self.rows.items():
            old = before.get(ex_id)
            if old is not None:  # one save may hold two changes
                assert old.status not in TERMINAL_STATUSES or row.status is old.status
                assert old.status not in RUNNING_STATUSES or row.status not in INIT_STATUSES
                assert row.generation >= old.generation


class World:
    """Everything beside the master; `act` plays one thing that can happen."""

    def __init__(self) -> None:
        self.rig = Rig(LIMITS)
        self.rig.store = CheckedStore()
        self.rig.tell(ev.Restored((), frozenset(), key=b"key"))
        self.nodes = {node_id: PlayedNode(node_id) for node_id in NODES}
        self.orders: list[ef.SpawnController] = []
        self.processes: dict[str, tuple[int, Identity]] = {}  # ex_id -> generation, identity
        self.sessions: dict[str, int] = {}
        self.outcomes: dict[str, str] = {}
        self.wanted: dict[str, int] = {}
        self.stopped: set[str] = set()
        self.runs = [0] * SLOTS_OF_JOBS

    def act(self, name: str, number: int) -> None:
        """Let it happen, and check."""
        action: Callable[[int], None] = getattr(self, f"do_{name}")
        action(number)
        self.pump()
        self.check()

    # --- what can happen

    def do_start(self, number: int) -> None:
        job = number % SLOTS_OF_JOBS
        ex_id = f"ex-{job}-{self.runs[job] + 1}"
        request, workers = self.rig.request(), 1 + number // SLOTS_OF_JOBS
        start = ev.StartRequested(
            request, f"job-{job}", None, ex_id=ex_id, name="n", workers=workers, document=b"{}"
        )
        self.rig.tell(start)
        if ex_id in self.rig.machine.core.executions:
            self.runs[job] += 1
            self.wanted[ex_id] = workers

    def do_stop(self, number: int) -> None:
        ex_id = self.ex_id(number)
        if ex_id in self.rig.machine.core.executions:
            self.rig.stop(ex_id, grace_ms=(0, 20_000)[number % 2], wait_ms=(None, 30_000)[number % 2])
            self.stopped.add(ex_id)

    def do_pause(self, number: int) -> None:
        self.rig.tell(ev.PauseRequested(self.rig.request(), self.ex_id(number)))

    def do_resume(self, number: int) -> None:
        self.rig.tell(ev.ResumeRequested(self.rig.request(), self.ex_id(number)))

    def do_workers(self, number: int) -> None:
        ex_id = self.ex_id(number)
        execution = self.rig.machine.core.executions.get(ex_id)
        self.rig.tell(ev.WorkersRequested(self.rig.request(), ex_id, ev.SetWorkers(1 + number)))
        if execution is not None and not execution.is_terminal:
            self.wanted[ex_id] = 1 + number

    def do_spawn(self, number: int) -> None:
        if not self.orders:
            return
        order = self.orders.pop(0)
        if number == 0:
            self.rig.tell(ev.ControllerExited(order.ex_id, order.generation, "it could not be started"))
            return
        identity = Identity(1_000 * int(order.ex_id[3]) + order.generation, order.generation, "boot")
        self.processes[order.ex_id] = order.generation, identity
        self.rig.tell(ev.ControllerSpawned(order.ex_id, order.generation, identity))

    def do_attach(self, number: int) -> None:
        ex_id = self.ex_id(number)
        if ex_id in self.processes:
            self.rig.sessions += 1
            self.sessions[ex_id] = self.rig.sessions
            self.rig.tell(ev.ControllerAttached(ex_id, self.processes[ex_id][0], self.rig.sessions, 4_000))

    def do_detach(self, number: int) -> None:
        ex_id = self.ex_id(number)
        if ex_id in self.sessions:
            self.rig.tell(ev.ControllerDetached(ex_id, self.sessions.pop(ex_id), self.rig.now_ms))

    def do_report(self, number: int) -> None:
        ex_id = self.ex_id(number)
        phase = ("running", "failing", "recovering", "paused", "stopping")[number % 5]
        if ex_id in self.sessions:
            self.rig.tell(ev.ControllerReported(ex_id, self.sessions[ex_id], report(phase)))

    def do_conclude(self, number: int) -> None:
        """The outcome is durable; whether the master hears of it is another matter."""
        ex_id = self.ex_id(number)
        row = self.rig.store.rows.get(ex_id)
        if ex_id not in self.processes or row is None:
            return
        status = "stopped" if row.wishes.stopping else ("completed", "failed", "terminated")[number % 3]
        status = self.outcomes.setdefault(ex_id, status)
        if ex_id in self.sessions:
            outcome = ControllerOutcome(status, "", report("stopping"))
            self.rig.tell(ev.ControllerConcluded(ex_id, self.sessions[ex_id], outcome))

    def do_kill(self, number: int) -> None:
        self.end_process(self.ex_id(number), "it was ended by signal 9")

    def do_join(self, number: int) -> None:
        node = self.node(number)
        self.rig.sessions += 1
        node.session = self.rig.sessions
        record = NodeRecord(node.node_id, str(node.incarnation), "host", 7, SLOTS, "3.11", "1")
        self.rig.tell(ev.NodeAttached(node.session, record))

    def do_lose(self, number: int) -> None:
        node = self.node(number)
        if node.session is not None:
            session, node.session, node.lost_ms = node.session, None, self.rig.now_ms
            self.rig.tell(ev.NodeDetached(node.node_id, session))

    def do_die(self, number: int) -> None:
        """The daemon dies with its workers; the next one is another incarnation."""
        self.do_lose(number)
        node = self.node(number)
        node.workers, node.told, node.draining = {}, Assignments(0, []), False
        node.incarnation += 1

    def do_obey(self, number: int) -> None:
        node = self.node(number)
        if node.session is not None:
            node.obey()
            self.rig.tell(ev.NodeReported(node.node_id, node.session, node.state()))

    def do_fail_starts(self, number: int) -> None:
        self.node(number).failing = not self.node(number).failing

    def do_drain(self, number: int) -> None:
        self.node(number).draining = not self.node(number).draining

    def do_take_out(self, number: int) -> None:
        self.rig.drain_node(self.node(number).node_id)

    def do_take_back(self, number: int) -> None:
        self.rig.resume_node(self.node(number).node_id)

    def do_time(self, number: int) -> None:
        self.rig.pass_time((100, 2_000, 11_000, 26_000)[number % 4])
        for node in self.nodes.values():
            if node.session is None and self.rig.now_ms >= node.lost_ms + LIMITS.disconnect_ms:
                node.workers = {}

    def do_stall(self, _: int) -> None:
        self.rig.tell(ev.Stalled())

    def do_hold(self, _: int) -> None:
        self.rig.hold_saves = True

    def do_release(self, _: int) -> None:
        self.rig.release_saves()

    def do_restart(self, number: int) -> None:
        """A part of what was about to be saved is durable; nobody is connected any more."""
        for save in self.rig.held[:number]:
            self.rig.store.apply(save)
        self.rig.hold_saves = False
        self.orders.clear()
        self.sessions.clear()
        self.wanted = {ex_id: row.wishes.workers for ex_id, row in self.rig.store.rows.items()}
        self.stopped &= {
            ex_id
            for ex_id, row in self.rig.store.rows.items()
            if row.wishes.stopping or row.status in TERMINAL_STATUSES
        }
        for node in self.nodes.values():
            if node.session is not None:
                node.session, node.lost_ms = None, self.rig.now_ms
        recorded = {ex_id: row.controller for ex_id, row in self.rig.store.rows.items()}
        for ex_id in list(self.processes):
            if recorded.get(ex_id) != self.processes[ex_id][1]:
                del self.processes[ex_id]  # nobody knows it: its generation is refused, and it ends
        self.rig.restart(frozenset(self.processes))

    # --- the world's own laws

    def pump(self) -> None:
        """Carry out what the master wants at once, except births of controllers."""
        while self.rig.effects:
            effects, self.rig.effects = self.rig.effects, []
            for effect in effects:
                self.carry_out(effect)

    def carry_out(self, effect: ef.Effect) -> None:
        match effect:
            case ef.SpawnController():
                assert effect.ex_id not in self.processes, "two controllers at once"
                assert all(order.ex_id != effect.ex_id for order in self.orders)
                assert self.rig.store.rows[effect.ex_id].generation == effect.generation, "not durable"
                self.orders.append(effect)
            case ef.EndController(ex_id, identity):
                if self.processes.get(ex_id, (0, None))[1] == identity:
                    self.end_process(ex_id, "it was killed")
            case ef.InspectStore(ex_id, generation):
                left = self.outcomes.get(ex_id)
                outcome = ControllerOutcome(left, "", report("stopping")) if left else None
                self.rig.tell(ev.StoreInspected(ex_id, generation, outcome, SliceCounts()))
            case ef.SendController(session, message) if type(message).__name__ == "OutcomeApplied":
                for ex_id in [key for key, value in self.sessions.items() if value == session]:
                    self.end_process(ex_id, "it ended with exit code 0")
            case ef.SendNode(session, message):
                for node in self.nodes.values():
                    if node.session == session:
                        node.told = message
                        assert sum(item.workers for item in message.items) <= SLOTS

    def end_process(self, ex_id: str, how: str) -> None:
        if ex_id not in self.processes:
            return
        generation, _ = self.processes.pop(ex_id)
        session = self.sessions.pop(ex_id, None)
        if session is not None:
            self.rig.tell(ev.ControllerDetached(ex_id, session, self.rig.now_ms))
        self.rig.tell(ev.ControllerExited(ex_id, generation, how))

    def check(self) -> None:
        """What never bends."""
        due_ms = self.rig.machine.next_deadline_ms()
        assert due_ms is None or due_ms > self.rig.now_ms or self.rig.hold_saves, (
            "a deadline that never passes"
        )
        for ex_id, row in self.rig.store.rows.items():
            if not self.rig.held:
                assert row.wishes.workers == self.wanted[ex_id], "a wish was overwritten"
            if row.status == "stopped":
                assert ex_id not in self.processes, "stopped, and its controller lives"
                assert not any(ex_id in node.workers for node in self.nodes.values()), "stopped, and works"

        if not self.rig.held:
            self.check_drained()

    def check_drained(self) -> None:
        """A node that is out of service has no share; a silent one keeps it, as its workers may well run."""
        nodes = self.rig.machine.core.nodes.values()
        drained = [node for node in nodes if node.record.drained and isinstance(node.link, Connected)]
        for row in self.rig.store.rows.values():
            if row.status not in TERMINAL_STATUSES and not row.wishes.stopping:
                assert not any(row.placement.get(node.record.node_id) for node in drained)

    def heal(self) -> None:
        """Everybody is there and does as told, until everything that was stopped has ended."""
        self.act("release", 0)
        for node in self.nodes.values():
            node.failing = node.draining = False
            self.rig.resume_node(node.node_id)
        for _ in range(30):
            self.act("time", 2)
            for number in range(len(NODES)):
                if self.nodes[NODES[number]].session is None:
                    self.act("join", number)
                self.act("obey", number)
            while self.orders:
                self.act("spawn", 1)
            for number in range(SLOTS_OF_JOBS):
                self.act("attach", number)
                self.act("report", number * 5)
                row = self.rig.store.rows.get(self.ex_id(number))
                if row is not None and row.wishes.stopping:
                    self.act("conclude", number)
        for ex_id in self.stopped:
            assert self.rig.store.rows[ex_id].status in TERMINAL_STATUSES, "a stop that does not end"

    def ex_id(self, number: int) -> str:
        job = number % SLOTS_OF_JOBS
        return f"ex-{job}-{self.runs[job]}"

    def node(self, number: int) -> PlayedNode:
        return self.nodes[NODES[number % len(NODES)]]


ACTIONS = tuple(name.removeprefix("do_") for name in vars(World) if name.startswith("do_"))
