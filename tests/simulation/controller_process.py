"""The shell of an execution controller, played: the real machine and a store, links, a slicer, a master.

As in `master/execution/controller.py`, `writer.py`, `link_server.py`, `to_master.py`, `slicer_child.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sliceworks.master.cluster.effects import SpawnController
from sliceworks.master.execution import events as ev
from sliceworks.master.execution.machine import ExecutionMachine
from sliceworks.master.execution.model import Now
from sliceworks.master.execution.to_master import REPORT_SECONDS
from sliceworks.master.store.execution import SCHEMA
from sliceworks.protocol.channel import Backoff
from sliceworks.protocol.errors import FencedError
from sliceworks.protocol.messages import (
    VERSION,
    ControllerHello,
    ControllerOutcome,
    LinkHello,
    LinkState,
    LinkWelcome,
    OutcomeApplied,
    Refused,
    SaveAndEnd,
    SliceResults,
    SlicerToController,
    StopSlicing,
    Wishes,
)
from sliceworks.protocol.proof import proof_of, proves
from tests.simulation.engine import Process
from tests.simulation.faults import Step
from tests.simulation.lineage import next_page, positions
from tests.simulation.network import Endpoint
from tests.simulation.scenario import CONTROLLER_HEARTBEAT_MS, MASTER_HOST, MASTER_PORT
from tests.simulation.slicer_process import Slicer
from tests.simulation.trouble import Where
from tests.simulation.writer import Writer

if TYPE_CHECKING:
    from tests.simulation.world import World

TIMER_MS: Final = 20
REPORT_MS: Final = int(REPORT_SECONDS * 1_000)


class Controller(Process):
    """One generation of an execution's controller."""

    kind = "controller"

    def __init__(self, world: World, order: SpawnController) -> None:
        super().__init__(world.engine, world.hosts[MASTER_HOST])
        self.world = world
        self.ex_id = order.ex_id
        self.generation = order.generation
        self.job = world.job_of(order.ex_id)
        self.wishes = order.wishes
        self._order = order
        self._lineage = world.disk.lineage_of(order.ex_id)[:-1] if order.recovers else []
        self._links: dict[int, Endpoint] = {}
        self._connections = 0
        self._slicer: Slicer | None = None
        self._stopping_slicer = False
        self._backoff = Backoff(self.engine.random.random)  # of opening the store
        self._timer = 0
        self._timer_free_at = 0
        self._machine: ExecutionMachine
        self.writer: Writer
        self._session: MasterSession
        world.controllers[self.pid] = self
        self.on_death(self._forgotten)

    def begin(self) -> None:
        """The master has it on record."""
        self.post(self.engine.draw(5, 40), self._open)

    @property
    def now(self) -> Now:
        """Both clocks."""
        return Now(self.engine.now, self.host.wall_ms())

    def feed(self, event: ev.Event) -> None:
        """One event in, its effects out, and the next batch on its way if the writer is free."""
        now = self.now
        self._perform(self._machine.handle(event, now) + self._machine.flush(now))
        self._set_timer()
        self._session.note_change()

    def leave(self, how: str) -> None:
        """End when what was submitted is durable."""
        self.world.pass_step(Step.LEAVE, self)
        self.writer.when_idle(lambda: self.die(how))

    def hear_slicer(self, slicer: Slicer, message: SlicerToController) -> None:
        """A frame of the slicer child."""
        if slicer is self._slicer:
            self.world.pass_step(Step.MAKE, self)
            self.feed(message)

    def _forgotten(self, _how: str) -> None:
        del self.world.controllers[self.pid]

    # --- birth

    def _open(self) -> None:
        self.world.pass_step(Step.BIRTH, self)
        if self.world.mischief.store.forbids_writing(Where.EXECUTIONS):
            self.post(int(self._backoff.next_seconds() * 1_000), self._open)
            return
        try:
            store = self.world.disk.open(self.ex_id, self.generation)
        except FencedError:
            self.die("it ended with exit code 3")
            return
        self.world.oracle.took_over(self)
        self.writer = Writer(self, store)
        self.on_death(lambda _: self.writer.close())
        self._machine = ExecutionMachine(
            self.ex_id,
            slicers=self.job.slicers,
            rules=self.job.rules,
            snapshot=store.load(),
            wishes=self.wishes,
            now=self.now,
            inheritance=self.world.client.inheritance_of(self.ex_id) if self._lineage else None,
        )
        port = self.world.network.listen(self, self._accept, heartbeat_ms=CONTROLLER_HEARTBEAT_MS)
        self._session = MasterSession(self, self._order, port)
        self._perform(self._machine.start(self.now) + self._machine.flush(self.now))
        self._set_timer()
        self._session.connect()
        if self.job.crash_loop:
            self.post(self.engine.draw(50, 2_000), self.die, "it ended with exit code 1")

    def report(self) -> Any:
        """What the master is told."""
        return self._machine.report()

    def _set_timer(self) -> None:
        due = self._machine.next_due_ms(self.now)
        self._timer += 1
        if due is not None:
            due = max(due, self._timer_free_at)
            self.post(max(0, due - self.engine.now), self._time_passed, self._timer)

    def _time_passed(self, timer: int) -> None:
        if timer == self._timer:
            self._timer_free_at = self.engine.now + TIMER_MS
            self.feed(ev.TimePassed())

    def _perform(self, effects: list[ev.Effect]) -> None:
        for effect in effects:
            match effect:
                case ev.Send(connection, message):
                    if end := self._links.get(connection):
                        end.send(message)
                case ev.Write() | ev.LoadPending():
                    self.writer.submit(effect)
                case ev.LoadLineage(after):
                    self.post(self.engine.draw(1, 30), self._load_lineage, after)
                case ev.ToSlicer(message):
                    self._tell_slicer(message)
                case ev.StartSlicer(recovery):
                    self._start_slicer(recovery)
                case ev.ReportNow():
                    self._session.report_now()
                case ev.Finish(status, failure):
                    self.world.pass_step(Step.ENDED, self)
                    self._session.finish(status, failure)
                case _:
                    unplayed = f"the simulation does not play {effect}"
                    raise AssertionError(unplayed)

    # --- the lineage

    def _load_lineage(self, after: str) -> None:
        """As `lineage_source.py`: a page, and with the last one where the slicers stand."""
        self.world.pass_step(Step.MAKE, self)
        disk = self.world.disk
        if self.world.mischief.store.forbids_reading(Where.EXECUTIONS):
            self.post(self.engine.draw(100, 1_000), self._load_lineage, after)
            return
        kinds = self.world.client.inheritance_of(self.ex_id).kinds
        page = next_page(disk, self._lineage, kinds, after=after)
        slicers = positions(disk, self._lineage) if page.complete else []
        self.feed(ev.LineageLoaded(page.slices, page.complete, slicers))

    # --- the slicer child

    def _start_slicer(self, recovery: list[dict[str, Any]]) -> None:
        slicer = self._slicer = Slicer(self, recovery, self.feed)
        self.world.slicers[slicer.pid] = slicer
        slicer.on_death(lambda how: self._slicer_died(slicer, how))

    def _tell_slicer(self, message: Any) -> None:
        self._stopping_slicer = self._stopping_slicer or isinstance(message, StopSlicing)
        if self._slicer is not None:
            self._slicer.post(1, self._slicer.hear, message)

    def _slicer_died(self, slicer: Slicer, how: str) -> None:
        self.world.slicers.pop(slicer.pid, None)
        self.post(2, self._bury_slicer, slicer, how)

    def _bury_slicer(self, slicer: Slicer, how: str) -> None:
        if slicer is not self._slicer:
            return
        self._slicer = None
        if not self._stopping_slicer:
            self.feed(ev.SlicerDied(how))

    # --- links

    def _accept(self, end: Endpoint, _path: str) -> None:
        end.on_message = lambda message: self._introduced(end, message)

    def _introduced(self, end: Endpoint, hello: object) -> None:
        assert isinstance(hello, LinkHello)
        order = self._order
        known = hello.ex_id == self.ex_id and proves(
            hello.proof, order.secret, role="daemon", nonce=hello.nonce
        )
        if not known or hello.generation != self.generation:
            end.send(Refused("this controller does not know you"))
            end.close()
            return
        self.world.pass_step(Step.BIRTH, self)
        self._connections += 1
        connection = self._connections
        self._links[connection] = end
        end.on_message = lambda message: self._hear_link(connection, message)
        end.on_closed = lambda: self._link_closed(connection)
        end.send(LinkWelcome(VERSION, self.generation, proof_of(order.secret, "controller", hello.nonce)))
        self.feed(ev.LinkOpened(connection, hello))

    def _hear_link(self, connection: int, message: object) -> None:
        match message:
            case SliceResults():
                self.world.pass_step(Step.REPORT, self)
                self.feed(ev.ResultsArrived(connection, message))
            case LinkState():
                self.feed(ev.LinkReported(connection, message))
            case _:
                raise AssertionError(message)

    def _link_closed(self, connection: int) -> None:
        del self._links[connection]
        self.feed(ev.LinkClosed(connection))


class MasterSession:
    """The connection to the master, as in `to_master.py`."""

    def __init__(self, owner: Controller, order: SpawnController, port: int) -> None:
        self._owner = owner
        self._order = order
        self._port = port
        self._outcome: tuple[str, str] | None = None
        self._end: Endpoint | None = None
        self._changed = False
        self._urgent = False
        self._free_at = 0
        self._backoff = Backoff(owner.engine.random.random)
        self._nonces = 0
        self._planned: int | None = None

    def note_change(self) -> None:
        """Something that a report shows may have changed."""
        self._changed = True
        self._plan()

    def report_now(self) -> None:
        """Send the next report without waiting."""
        self._changed = self._urgent = True
        self._plan()

    def finish(self, status: str, failure: str) -> None:
        """The outcome is durable: tell it until it is applied."""
        self._outcome = (status, failure)
        self.report_now()

    def connect(self) -> None:
        """Once more."""
        self._owner.world.network.connect(
            self._owner,
            (MASTER_HOST, MASTER_PORT),
            "/_ws/controller",
            on_open=self._opened,
            on_fail=self._try_again,
        )

    def _try_again(self) -> None:
        self._owner.post(int(self._backoff.next_seconds() * 1_000), self.connect)

    def _opened(self, end: Endpoint) -> None:
        self._end = end
        end.on_message = self._hear
        end.on_closed = self._closed
        end.send(self._hello())
        self._backoff.reset()
        self._free_at = 0
        self.report_now()

    def _closed(self) -> None:
        self._end = None
        self._try_again()

    def _hear(self, message: object) -> None:
        match message:
            case Wishes():
                self._owner.wishes = message
                self._owner.feed(message)
            case OutcomeApplied():
                self._owner.leave("it ended with exit code 0")
            case SaveAndEnd():
                self._owner.leave("it ended with exit code 0")
            case Refused():
                self._owner.die("it ended with exit code 0")
            case _:
                raise AssertionError(message)

    def _plan(self) -> None:
        if self._end is None:
            return
        now = self._owner.engine.now
        due = now if self._urgent else max(now, self._free_at)
        if self._planned is None or due < self._planned:
            self._planned = due
            self._owner.post(due - now, self._send_report, due)

    def _send_report(self, due: int) -> None:
        if due != self._planned:
            return
        self._planned = None
        now = self._owner.engine.now
        if self._end is None or not self._changed:
            return
        self._changed = self._urgent = False
        self._free_at = now + REPORT_MS
        report = self._owner.report()
        self._end.send(ControllerOutcome(*self._outcome, report) if self._outcome else report)

    def _hello(self) -> ControllerHello:
        self._nonces += 1
        nonce = self._nonces.to_bytes(16, "big")
        order = self._order
        return ControllerHello(
            version=VERSION,
            schema=SCHEMA,
            ex_id=order.ex_id,
            generation=order.generation,
            nonce=nonce,
            proof=proof_of(order.secret, "controller", nonce),
            pid=self._owner.pid,
            port=self._port,
        )
