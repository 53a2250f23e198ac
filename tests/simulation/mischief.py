"""Does what a plan says: kills, stops, cuts, blocks, breaks, and asks for what clients ask for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from sliceworks.master.cluster import events as ev
from tests.simulation.engine import Process
from tests.simulation.faults import Kind
from tests.simulation.network import Endpoint
from tests.simulation.scenario import LONGEST_HANG_MS, MASTER_HOST
from tests.simulation.trouble import StoreTrouble

if TYPE_CHECKING:
    from tests.simulation.world import World

T = TypeVar("T")
P = TypeVar("P", bound=Process)

_KILLED = "it was ended by signal 9"


class Mischief:
    """All that goes wrong in one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._engine = world.engine
        self._left: Counter[str] = Counter()
        self._slow_disk_until = 0
        self.store = StoreTrouble(world.engine)

    def inject(self, kind: Kind, passing: Process) -> bool:
        """Do it, to the process that passes if it is of that kind; False if there is nothing to do it to."""
        name = f"_{kind.name.lower()}"
        done: bool = getattr(self, name)(passing)
        return done

    def take(self, what: str) -> bool:
        """Whether this goes wrong now; so many times as was drawn."""
        if not self._left[what]:
            return False
        self._left[what] -= 1
        return True

    def disk_delay(self) -> int:
        """How long a commit takes."""
        if self._engine.now < self._slow_disk_until:
            return self._engine.draw(50, 1_500)
        return self._engine.draw(0, 3)

    def end(self) -> None:
        """Nothing more goes wrong."""
        self._left.clear()
        self._slow_disk_until = 0
        self.store.end()

    # --- processes

    def _kill_worker(self, passing: Process) -> bool:
        return self._kill(self._one(passing, self._world.workers.values()), "was killed by signal 9")

    def _kill_daemon(self, passing: Process) -> bool:
        return self._kill(self._one(passing, self._world.daemons.values()), _KILLED)

    def _kill_controller(self, passing: Process) -> bool:
        return self._kill(self._one(passing, self._world.controllers.values()), _KILLED)

    def _kill_master(self, passing: Process) -> bool:
        return self._kill(self._world.master, _KILLED)

    def _kill_slicer(self, passing: Process) -> bool:
        return self._kill(self._one(passing, self._world.slicers.values()), "killed by signal 9")

    def _power(self, passing: Process) -> bool:
        self._world.power_cut(self._pick(list(self._world.hosts)))
        return True

    def _hang_worker(self, passing: Process) -> bool:
        return self._hang(self._one(passing, self._world.workers.values()))

    def _hang_slicer(self, passing: Process) -> bool:
        return self._hang(self._one(passing, self._world.slicers.values()))

    def _hang_controller(self, passing: Process) -> bool:
        return self._hang(self._one(passing, self._world.controllers.values()))

    def _hang_daemon(self, passing: Process) -> bool:
        return self._hang(self._one(passing, self._world.daemons.values()))

    def _hang_master(self, passing: Process) -> bool:
        return self._hang(self._world.master)

    def _drain_daemon(self, passing: Process) -> bool:
        daemon = self._one(passing, self._world.daemons.values())
        if daemon is None:
            return False
        daemon.post(0, daemon.terminate)
        return True

    def _end_master(self, passing: Process) -> bool:
        master = self._world.master
        if master is None or not master.alive or not self._world.serving:
            return False
        master.post(0, master.terminate)
        return True

    # --- network and clocks

    def _cut(self, passing: Process) -> bool:
        ends = self._ends(passing)
        if not ends:
            return False
        end = self._pick(ends)
        for each in (end, end.peer):
            each.process.post(self._engine.draw(0, 3), each.lose)
        return True

    def _half_open(self, passing: Process) -> bool:
        ends = self._ends(passing)
        if ends:
            self._world.network.mute(self._pick(ends))
        return bool(ends)

    def _partition(self, passing: Process) -> bool:
        node_id = self._node_of(passing)
        for source, target in ((node_id, MASTER_HOST), (MASTER_HOST, node_id)):
            self._block(source, target)
        return True

    def _one_way(self, passing: Process) -> bool:
        way = [self._node_of(passing), MASTER_HOST]
        if self._engine.chance(0.5):
            way.reverse()
        self._block(*way)
        return True

    def _delay(self, passing: Process) -> bool:
        self._world.network.slow_until = self._engine.now + self._engine.draw(500, 10_000)
        return True

    def _clock(self, passing: Process) -> bool:
        self._pick(list(self._world.hosts.values())).jump(self._engine.draw(-4_000_000, 4_000_000))
        return True

    # --- disks and work

    def _store_fails(self, passing: Process) -> bool:
        return self._some("store fails", 6)

    def _store_unknown(self, passing: Process) -> bool:
        return self._some("outcome unknown", 3)

    def _store_away(self, passing: Process) -> bool:
        self.store.begin(self._pick((self._engine.draw(100, 2_000), self._engine.draw(100, 15_000))))
        return True

    def _late_write(self, passing: Process) -> bool:
        return self._some("late write", 1)

    def _slow_disk(self, passing: Process) -> bool:
        self._slow_disk_until = self._engine.now + self._engine.draw(500, 8_000)
        return True

    def _slow_work(self, passing: Process) -> bool:
        return self._some("slow slices", 4)

    def _bad_work(self, passing: Process) -> bool:
        return self._some("failing slices", 8)

    def _slow_slicer(self, passing: Process) -> bool:
        return self._some("slow slicer", 3)

    # --- clients

    def _pause(self, passing: Process) -> bool:
        ex_id = self._execution()
        return bool(ex_id) and self._world.client.pause(ex_id)

    def _resume(self, passing: Process) -> bool:
        ex_id = self._execution()
        return bool(ex_id) and self._world.client.resume(ex_id)

    def _stop(self, passing: Process) -> bool:
        ex_id = self._execution()
        grace_ms = self._pick((0, 200, 5_000))
        return bool(ex_id) and self._world.client.stop(ex_id, grace_ms, self._pick((None, 3_000, 20_000)))

    def _workers(self, passing: Process) -> bool:
        ex_id = self._execution()
        count = self._engine.draw(1, 4)
        changes: list[ev.WorkersChange] = [
            ev.AddWorkers(count),
            ev.RemoveWorkers(count),
            ev.SetWorkers(count),
        ]
        change = self._pick(changes)
        return bool(ex_id) and self._world.client.workers(ex_id, change)

    def _submit(self, passing: Process) -> bool:
        self._world.client.submit(self._pick(self._world.scenario.jobs), insist=False)
        return True

    def _recover(self, passing: Process) -> bool:
        ended = self._world.client.recoverable()
        return bool(ended) and self._world.client.recover(self._pick(ended))

    def _drain_node(self, passing: Process) -> bool:
        return self._world.client.drain(self._node_of(passing))

    def _return_node(self, passing: Process) -> bool:
        return self._world.client.take_back(self._node_of(passing))

    # --- parts

    def _one(self, passing: Process, living: Iterable[P]) -> P | None:
        found = [process for process in living if process.alive]
        for process in found:
            if process is passing:
                return process
        return self._pick(found) if found else None

    def _kill(self, process: Process | None, how: str) -> bool:
        if process is None or not process.alive:
            return False
        process.die(how)
        return True

    def _hang(self, process: Process | None) -> bool:
        if process is None or not process.alive or process.hanging:
            return False
        process.hang()
        self._world.network.hang(process)
        until = self._engine.now + self._pick(
            (self._engine.draw(10, 2_000), self._engine.draw(10, LONGEST_HANG_MS))
        )
        self._engine.at(until, None, process.resume)
        return True

    def _block(self, source: str, target: str) -> None:
        network = self._world.network
        network.block(source, target)
        until = self._engine.now + self._pick(
            (self._engine.draw(100, 5_000), self._engine.draw(5_000, 50_000))
        )
        self._engine.at(until, None, network.unblock, source, target)

    def _some(self, what: str, most: int) -> bool:
        self._left[what] += self._engine.draw(1, most)
        return True

    def _ends(self, passing: Process) -> list[Endpoint]:
        ends = self._world.network.endpoints()
        own = [end for end in ends if end.process is passing]
        return own or ends

    def _node_of(self, passing: Process) -> str:
        name = passing.host.name
        return name if name != MASTER_HOST else self._pick(self._world.node_ids)

    def _execution(self) -> str:
        living = self._world.client.living()
        return self._pick(living) if living else ""

    def _pick(self, items: Sequence[T]) -> T:
        return self._engine.pick(items)
