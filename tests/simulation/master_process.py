"""The shell of the cluster master, played: the real machine, its store, its sessions, its controllers.

As in `master/reactor.py`, `daemon.py`, `executions.py`, `controllers.py`, `nodes.py` and
`store/group_writer.py`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from sliceworks.master.cluster import effects as ef
from sliceworks.master.cluster import events as ev
from sliceworks.master.cluster.machine import ClusterMachine
from sliceworks.master.controllers import Over, Proved, Stranger, Unfit, judge
from sliceworks.master.execution.statistics import slice_counts, statistics
from sliceworks.master.reactor import STALL_MS
from sliceworks.master.store.records import AddExecution, Credentials, NodeRecord, SaveExecution
from sliceworks.protocol.errors import UnavailableError
from sliceworks.protocol.messages import (
    VERSION,
    ControllerHello,
    ControllerOutcome,
    ControllerReport,
    NodeHello,
    NodeState,
    NodeWelcome,
    OutcomeApplied,
    Refused,
)
from sliceworks.protocol.process import Identity
from tests.simulation.controller_process import Controller
from tests.simulation.engine import Process
from tests.simulation.faults import Step
from tests.simulation.network import Endpoint
from tests.simulation.scenario import LIMITS, MASTER_HOST, MASTER_PORT, NODE_HEARTBEAT_MS
from tests.simulation.trouble import Where

if TYPE_CHECKING:
    from tests.simulation.world import World

END_MS: Final = 10_000
BOOT: Final = "boot"


class Master(Process):
    """One life of the master."""

    kind = "master"

    def __init__(self, world: World) -> None:
        super().__init__(world.engine, world.hosts[MASTER_HOST])
        self.world = world
        self.closing = False
        self._store = world.mischief.store
        self._machine = ClusterMachine(LIMITS)
        self._sessions: dict[int, Endpoint] = {}
        self._last_session = 0
        self._saves: deque[ef.Save] = deque()
        self._timer = 0
        self._answers: dict[int, Callable[[ef.Answer | ef.Reject], None]] = {}
        self._requests = 0
        self._waiting: dict[tuple[str, int], Controller] = {}  # forked, and not released yet
        self.on_death(self._leave_waiting)
        self.post(self.engine.draw(50, 300), self._restore)

    def feed(self, event: ev.Event) -> None:
        """One event in, its effects out."""
        now = ev.Now(self.engine.now, self.host.wall_ms())
        for effect in self._machine.handle(event, now):
            self._perform(effect)
        self._set_timer()

    def ask(self, event: Callable[[int], ev.Event], told: Callable[[ef.Answer | ef.Reject], None]) -> None:
        """A request of a client; `told` is called if there is an answer."""
        self._requests += 1
        self._answers[self._requests] = told
        self.feed(event(self._requests))

    def terminate(self) -> None:
        """SIGTERM."""
        if self.closing:
            return
        self.closing = True
        self.post(END_MS, self._end)
        self.feed(ev.Closing())

    def resume(self) -> None:
        """After a stop that was long enough to be noticed, nobody's silence is held against them."""
        was_hanging = self.hanging
        super().resume()
        if was_hanging:
            self._set_timer()

    # --- birth and end

    def _restore(self) -> None:
        self.world.pass_step(Step.BIRTH, self)
        if self._store.forbids_writing(Where.CLUSTER):
            self.die("exit code 1")
            return
        snapshot = self.world.disk.load()
        alive = frozenset(
            item.row.ex_id for item in snapshot.executions if self._process(item.row.controller) is not None
        )
        self.feed(ev.Restored(snapshot.executions, alive, snapshot.nodes, snapshot.totals, snapshot.key))
        self.world.network.listen(self, self._accept, heartbeat_ms=NODE_HEARTBEAT_MS, port=MASTER_PORT)
        self.world.master_ready(self)

    def _end(self) -> None:
        for identity in self._machine.processes().values():
            process = self._process(identity)
            if process is not None:
                process.die("it was ended by signal 9")
        while self._saves and not self._store.forbids_writing(Where.CLUSTER):
            self.world.commit_rows(self._saves.popleft().changes)
        self.die("exit code 0")

    # --- effects

    def _perform(self, effect: ef.Effect) -> None:
        match effect:
            case ef.Save():
                self._saves.append(effect)
                if len(self._saves) == 1:
                    self._begin_save()
            case ef.Answer() | ef.Reject():
                told = self._answers.pop(effect.request, None)
                if told:
                    told(effect)
            case ef.SendController(session, message) | ef.SendNode(session, message):
                self._send(session, message)
            case ef.DropSession(session, reason):
                self._drop(session, reason)
            case ef.Note(event, fields):
                self.world.oracle.noted(event, fields)
            case ef.RemoveAsset():
                pass  # no asset has files here
            case ef.Alone():
                self.post(1, self._end)
            case _:
                self._perform_on_processes(effect)

    def _perform_on_processes(self, effect: ef.Effect) -> None:
        match effect:
            case ef.SpawnController():
                self.world.pass_step(Step.SPAWN, self)
                self.post(self.engine.draw(2, 30), self._fork, effect)
            case ef.ReleaseController(ex_id, generation):
                if controller := self._waiting.pop((ex_id, generation), None):
                    controller.begin()
            case ef.WatchController(ex_id, generation, identity):
                self._watch(ex_id, generation, self._process(identity))
            case ef.EndController(_, identity):
                self.engine.at(self.engine.now + 1, None, self._kill, identity)
            case ef.InspectStore():
                self.post(self.engine.draw(1, 10), self._inspect, effect)
            case _:
                message = f"the simulation does not play {effect}"
                raise AssertionError(message)

    def _send(self, session: int, message: object) -> None:
        if end := self._sessions.get(session):
            if isinstance(message, OutcomeApplied):
                self.world.pass_step(Step.APPLIED, self)
            end.send(message)

    def _drop(self, session: int, reason: str) -> None:
        if end := self._sessions.get(session):
            end.send(Refused(reason))
            self.post(0, end.lose)

    def _set_timer(self) -> None:
        due = self._machine.next_deadline_ms()
        self._timer += 1
        if due is not None:
            due = max(due, self.engine.now)
            self.post(due - self.engine.now, self._time_passed, self._timer, due)

    def _time_passed(self, timer: int, due: int) -> None:
        if timer == self._timer:
            late_ms = self.engine.now - due
            self.feed(ev.Stalled() if late_ms > STALL_MS else ev.TimePassed())

    # --- the store

    def _begin_save(self) -> None:
        self.post(self.world.mischief.disk_delay(), self._commit)

    def _commit(self) -> None:
        save = self._saves[0]
        outcome = any(_has_outcome(change) for change in save.changes)
        if outcome:
            self.world.pass_step(Step.APPLY, self)
        if self._store.forbids_writing(Where.CLUSTER):
            self._refuse_all()
            self.post(self.engine.draw(100, 1_000), self._commit)
            return
        if self.world.mischief.take("store fails"):
            self.post(self.engine.draw(100, 1_000), self._commit)
            return
        error = self.world.commit_rows(save.changes)
        if outcome:
            self.world.pass_step(Step.APPLIED, self)
        self.post(0, self._saved, save.number, error)

    def _refuse_all(self) -> None:
        """Who waits is told to come back: what was asked is done when the store can be written again."""
        answers, self._answers = self._answers, {}
        for request, told in answers.items():
            told(ef.Reject(request, UnavailableError("the state store cannot be written")))

    def _saved(self, number: int, error: Exception | None) -> None:
        self._saves.popleft()
        if self._saves:
            self._begin_save()
        self.feed(ev.SaveRefused(number, error) if error else ev.Saved(number))  # type: ignore[arg-type]

    # --- processes

    def _process(self, identity: Identity | None) -> Controller | None:
        if identity is None or identity.boot_id != self.world.boot_id:
            return None
        return self.world.controllers.get(identity.pid)

    def _kill(self, identity: Identity) -> None:
        process = self._process(identity)
        if process is not None:
            process.die("it was ended by signal 9")

    def _fork(self, order: ef.SpawnController) -> None:
        if order.recovers and self._store.forbids_reading(Where.CLUSTER):
            self.post(self.engine.draw(100, 1_000), self._fork, order)
            return
        if self.engine.chance(0.01):
            how = "it could not be started: no memory"
            self.feed(ev.ControllerExited(order.ex_id, order.generation, how))
            return
        controller = self._waiting[order.ex_id, order.generation] = Controller(self.world, order)
        self._watch(order.ex_id, order.generation, controller)
        self.world.pass_step(Step.SPAWN, self)
        identity = Identity(controller.pid, controller.born, self.world.boot_id)
        self.feed(ev.ControllerSpawned(order.ex_id, order.generation, identity))

    def _leave_waiting(self, _how: str) -> None:
        """A controller that was not released reads the end of its pipe, and ends."""
        for controller in self._waiting.values():
            controller.post(1, controller.die, "it ended with exit code 0")

    def _watch(self, ex_id: str, generation: int, controller: Controller | None) -> None:
        if controller is None:
            self.post(1, self.feed, ev.ControllerExited(ex_id, generation, "it ended, nobody saw how"))
            return
        controller.on_death(lambda how: self.post(2, self.feed, ev.ControllerExited(ex_id, generation, how)))

    def _inspect(self, order: ef.InspectStore) -> None:
        if self._store.forbids_reading(Where.EXECUTIONS):
            self.post(self.engine.draw(100, 1_000), self._inspect, order)
            return
        disk = self.world.disk
        left = disk.outcome(order.ex_id)
        outcome = None
        if left is not None:
            self.world.pass_step(Step.ENDED, self)
            head = disk.head(order.ex_id)
            figures = statistics(head, slicers=len(disk.positions(order.ex_id)))
            report = ControllerReport("stopping", "", head.failure, figures, slice_counts(head), [])
            outcome = ControllerOutcome(*left, report)
        counts = disk.counts(order.ex_id)
        self.feed(ev.StoreInspected(order.ex_id, order.generation, outcome, counts))

    # --- sessions

    def _accept(self, end: Endpoint, path: str) -> None:
        hello = self._node_hello if path == "/_ws/node" else self._controller_hello
        end.on_message = lambda message: hello(end, message)

    def _open_session(self, end: Endpoint) -> int:
        self._last_session += 1
        self._sessions[self._last_session] = end
        return self._last_session

    def _node_hello(self, end: Endpoint, hello: NodeHello) -> None:
        end.send(NodeWelcome(VERSION, "teracluster", NODE_HEARTBEAT_MS))
        session = self._open_session(end)
        end.on_message = lambda message: self._hear_node(hello.node_id, session, message)
        end.on_closed = lambda: self._node_gone(hello.node_id, session)
        self.feed(ev.NodeAttached(session, _record(hello)))

    def _hear_node(self, node_id: str, session: int, message: object) -> None:
        assert isinstance(message, NodeState)
        self.feed(ev.NodeReported(node_id, session, message))

    def _node_gone(self, node_id: str, session: int) -> None:
        del self._sessions[session]
        self.feed(ev.NodeDetached(node_id, session))

    def _controller_hello(self, end: Endpoint, hello: ControllerHello) -> None:
        if self._store.forbids_reading(Where.CLUSTER):
            end.close()
            return
        early: list[object] = []
        end.on_message = early.append
        credentials = self.world.disk.credentials(hello.ex_id)
        self.post(1, self._judge, end, hello, credentials, early)

    def _judge(
        self, end: Endpoint, hello: ControllerHello, credentials: Credentials | None, early: list[object]
    ) -> None:
        match judge(hello, credentials):
            case Proved():
                self._attend(end, hello, early)
            case Over():
                end.send(OutcomeApplied())
                end.close()
            case Stranger(reason) | Unfit(reason):
                end.send(Refused(reason))
                end.close()

    def _attend(self, end: Endpoint, hello: ControllerHello, early: list[object]) -> None:
        if not end.open:
            return
        self.world.pass_step(Step.BIRTH, self)
        session = self._open_session(end)
        end.on_message = lambda message: self._hear_controller(hello.ex_id, session, message)
        end.on_closed = lambda: self._controller_gone(hello.ex_id, session, end)
        self.feed(ev.ControllerAttached(hello.ex_id, hello.generation, session, hello.port))
        for message in early:
            self._hear_controller(hello.ex_id, session, message)

    def _hear_controller(self, ex_id: str, session: int, message: object) -> None:
        match message:
            case ControllerReport():
                self.feed(ev.ControllerReported(ex_id, session, message))
            case ControllerOutcome():
                self.world.pass_step(Step.APPLY, self)
                self.feed(ev.ControllerConcluded(ex_id, session, message))
            case _:
                raise AssertionError(message)

    def _controller_gone(self, ex_id: str, session: int, end: Endpoint) -> None:
        del self._sessions[session]
        self.feed(ev.ControllerDetached(ex_id, session, end.heard_ms))


def _has_outcome(change: object) -> bool:
    return isinstance(change, SaveExecution | AddExecution) and bool(change.row.fate.outcome)


def _record(hello: NodeHello) -> NodeRecord:
    return NodeRecord(
        hello.node_id,
        hello.incarnation,
        hello.hostname,
        hello.pid,
        hello.slots,
        hello.python_version,
        hello.sliceworks_version,
    )
