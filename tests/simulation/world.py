"""The whole cluster of one seed: hosts, network, disk, processes, client, and what goes wrong."""

from __future__ import annotations

import random
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from sliceworks.master.store.records import AddExecution, Change, SaveExecution
from sliceworks.protocol.errors import SliceworksError
from sliceworks.protocol.states import TERMINAL_STATUSES
from tests.simulation.client import Client
from tests.simulation.controller_process import Controller
from tests.simulation.daemon_process import Daemon
from tests.simulation.disk import Disk, SqliteDisk, save_all
from tests.simulation.engine import Engine, Host, Killed, Process, Violation
from tests.simulation.faults import Kind, Plan, Step
from tests.simulation.master_process import Master
from tests.simulation.mischief import Mischief
from tests.simulation.network import Network
from tests.simulation.oracle import Oracle
from tests.simulation.scenario import BOUND_MS, CALM_AT_MS, MASTER_HOST, Job, Scenario, draw_scenario
from tests.simulation.slicer_process import Slicer
from tests.simulation.worker_process import Worker

MAX_ACTIONS = 400_000
ASKED_MS = 2_000


@dataclass(slots=True)
class Outcome:
    """What came of one seed; equal for equal seeds."""

    seed: int
    failure: str = ""
    trace: str = ""  # where a failure was noticed
    injected: Counter[tuple[Kind, Step]] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    slices: int = 0
    attempts: int = 0
    virtual_ms: int = 0
    actions: int = 0


class World:
    """One schedule."""

    def __init__(self, seed: int, scenario: Scenario, plan: Plan) -> None:
        self.engine = Engine(seed)
        self.scenario = scenario
        self.plan = plan
        self.network = Network(self.engine)
        self.disk: Disk = SqliteDisk() if scenario.sqlite else Disk()
        self.node_ids = [f"n{n}" for n in range(len(scenario.slots))]
        self.hosts = {name: Host(self.engine, name) for name in (MASTER_HOST, *self.node_ids)}
        self.boot_id = "boot-0"
        self.master: Master | None = None
        self.serving = False
        self.daemons: dict[str, Daemon] = {}
        self.controllers: dict[int, Controller] = {}
        self.slicers: dict[int, Slicer] = {}
        self.workers: dict[int, Worker] = {}
        self.calm = False
        self._recoveries = scenario.recoveries
        self._recovered_at = 0
        self._asked_ms = 0  # till then an answer may come
        self.oracle = Oracle(self)
        self.client = Client(self)
        self.mischief = Mischief(self)
        self.start_master()
        for node_id in self.node_ids:
            self.start_daemon(node_id)
        for job, at in zip(scenario.jobs, scenario.submit_at, strict=True):
            self.engine.at(at, None, self._submit, job)
        self.engine.at(CALM_AT_MS, None, self._be_calm)

    # --- what processes ask

    def job_of(self, ex_id: str) -> Job:
        """The job of an execution."""
        return self.client.job_of(ex_id)

    def pass_step(self, step: Step, process: Process) -> None:
        """A process is at this step: whatever is due there happens now."""
        for fault in self.plan.due(step):
            if self.mischief.inject(fault.kind, process):
                self.plan.done(fault)
        if not process.alive:
            raise Killed

    def commit_rows(self, changes: Sequence[Change]) -> SliceworksError | None:
        """The cluster's store takes these changes, or refuses them."""
        rows = dict(self.disk.rows)
        error = save_all(self.disk, changes)
        for change in changes if error is None else ():
            if isinstance(change, SaveExecution | AddExecution):
                old = rows.get(change.row.ex_id)
                self.oracle.saved(old.row if old else None, change.row)
        return error

    # --- lives

    def start_master(self) -> None:
        """Its service starts it."""
        self.serving = False
        self.master = Master(self)
        self.master.on_death(lambda _: self._restart(self.start_master))

    def master_ready(self, master: Master) -> None:
        """It serves its port."""
        self.serving = master is self.master

    def start_daemon(self, node_id: str) -> None:
        """Its service starts it."""
        slots = self.scenario.slots[self.node_ids.index(node_id)]
        daemon = self.daemons[node_id] = Daemon(self, node_id, slots)
        daemon.on_death(lambda _: self._restart(self.start_daemon, node_id))

    def power_cut(self, host: str) -> None:
        """Every process of a host dies at once."""
        if host != MASTER_HOST:
            self.daemons[host].die("power")
            return
        self.boot_id = f"boot-{self.engine.now}"
        for process in [*self.controllers.values(), self.master]:
            if process is not None:
                process.die("power")

    # --- the schedule

    def run(self) -> None:
        """To the end; Violation if something is not as it must be."""
        while not self._over() or self._recover_one():
            if self.engine.now > max(CALM_AT_MS, self._recovered_at) + BOUND_MS:
                message = f"not over {BOUND_MS} ms after the last fault: {self._what_is_left()}"
                raise Violation(message)
            if self.engine.actions > MAX_ACTIONS:
                message = f"{MAX_ACTIONS} actions and no end at {self.engine.now} ms: {self._what_is_left()}"
                raise Violation(message)
            self.engine.step()
        self.oracle.finish()

    def _recover_one(self) -> bool:
        """All has ended: whether an execution is recovered now, and it goes on."""
        ended = self.client.recoverable()
        if not self._recoveries or not ended or not self.client.recover(self.engine.pick(ended)):
            return False
        self._recoveries -= 1
        self._recovered_at = self.engine.now
        self._asked_ms = self.engine.now + ASKED_MS
        return True

    def _over(self) -> bool:
        if self.engine.now < self._asked_ms:
            return False
        if self.workers or self.controllers or not self.serving:
            return False
        rows = self.disk.rows
        if len({item.row.job_id for item in rows.values()}) < len(self.scenario.jobs):
            return False
        return all(item.row.status in TERMINAL_STATUSES for item in rows.values())

    def _what_is_left(self) -> str:
        rows = [f"{ex_id} {item.row.status} {item.row.reason!r}" for ex_id, item in self.disk.rows.items()]
        processes = [f"{len(self.controllers)} controllers, {len(self.workers)} workers"]
        return "; ".join([*rows, *processes])

    def _submit(self, job: Job) -> None:
        self.client.submit(job, insist=True)

    def _be_calm(self) -> None:
        self.calm = True
        self.plan.end()
        self.mischief.end()
        self.network.heal()
        lives = (self.daemons, self.controllers, self.slicers, self.workers)
        for process in (self.master, *(process for living in lives for process in living.values())):
            if process is not None:
                process.resume()
        self.client.settle()

    def _restart(self, start: object, *args: object) -> None:
        draw = self.engine.random.random()
        delay = int(draw * 3_000) + 50 if draw < 0.9 or self.calm else int(draw * 30_000)
        self.engine.at(self.engine.now + delay, None, start, *args)  # type: ignore[arg-type]


def run_seed(seed: int, *, sqlite: bool | None = None) -> Outcome:
    """Play one seed to its end, and say what came of it."""
    draw = random.Random(f"scenario {seed}")
    scenario = draw_scenario(draw, sqlite=seed % 20 == 0 if sqlite is None else sqlite)
    world = World(seed, scenario, Plan(draw))
    outcome = Outcome(seed, injected=world.plan.injected)
    try:
        world.run()
    except Violation as violation:
        outcome.failure = str(violation)
        outcome.trace = f"at {world.engine.now} ms"
    except Exception as error:  # noqa: BLE001 - a fault of the product is what is looked for
        outcome.failure = f"{type(error).__name__}: {error}"
        outcome.trace = traceback.format_exc()
    finally:
        outcome.statuses = Counter(item.row.status.value for item in world.disk.rows.values())
        outcome.slices = sum(len(world.disk.slices(ex_id)) for ex_id in world.disk.rows)
        outcome.attempts = world.oracle.attempts
        outcome.virtual_ms, outcome.actions = world.engine.now, world.engine.actions
        world.disk.close()
    return outcome
