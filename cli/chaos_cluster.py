"""How a cluster under chaos fares: a look at everything, and whether each kind of process is back at work."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from sliceworks.cli.chaos_plan import Kind
from sliceworks.cli.chaos_victims import Victims
from sliceworks.cli.client import Client, Counts
from sliceworks.protocol.errors import SliceworksError
from sliceworks.protocol.states import TERMINAL_STATUSES

ANSWER_SECONDS: Final = 1
_READY: Final = frozenset({"idle", "busy"})


@dataclass(frozen=True, slots=True)
class Look:
    """What the API said at one moment."""

    status: str
    counts: Counts
    master: int
    daemon: int  # 0: not connected
    controllers: tuple[int, ...]
    workers: int  # ready ones
    processes: int  # workers and controllers of the execution

    @property
    def is_over(self) -> bool:
        """Whether the execution has ended."""
        return self.status in TERMINAL_STATUSES


class Scene:
    """The cluster, and the execution that it runs now."""

    def __init__(self, api: Client, *, workers: int) -> None:
        self.victims = Victims()
        self.ex_id = ""
        self.slices = 0
        self._api = api
        self._workers = workers

    async def begin(self, job: bytes, slices: int) -> None:
        """Start the next execution."""
        self.ex_id = (await self._api.jobs.submit(job)).ex_id
        self.slices = slices

    async def look(self) -> Look | None:
        """Everything now; None while the master is away."""
        try:
            return await self._look()
        except (SliceworksError, TimeoutError):
            return None

    async def _look(self) -> Look:
        async with asyncio.timeout(ANSWER_SECONDS):
            execution = await self._api.executions.get(self.ex_id)
            counts = await self._api.executions.counts(self.ex_id)
            nodes = [node.document for node in await self._api.cluster.nodes()]
        look = _look(self.ex_id, execution.status, counts=counts, nodes=nodes)
        if look.controllers:
            self.victims.controller_is(look.controllers[-1])
        return look

    def is_back(self, kind: Kind, look: Look) -> bool:
        """Whether a process of this kind runs, and the others know it."""
        match kind:
            case Kind.MASTER:
                return True  # it answered
            case Kind.DAEMON:
                return any(look.daemon == process.pid for process in self.victims.find(kind))
            case Kind.WORKER:
                return look.workers >= self._workers
            case Kind.CONTROLLER:
                return bool(look.controllers) and bool(self.victims.find(kind))
            case Kind.SLICER:
                return self.is_sliced(look) or bool(self.victims.find(kind))

    def is_sliced(self, look: Look) -> bool:
        """Whether all slices are made: then there is no slicer any more."""
        return look.counts.made >= self.slices


def _look(ex_id: str, status: str, *, counts: Counts, nodes: list[dict[str, Any]]) -> Look:
    active = [entry for node in nodes for entry in node["active"]]
    ours = [entry for entry in active if entry.get("ex_id") == ex_id]
    daemons = [node["pid"] for node in nodes if node["total"] and node["state"] == "connected"]
    return Look(
        status=status,
        counts=counts,
        master=next((entry["pid"] for entry in active if entry["assignment"] == "cluster_master"), 0),
        daemon=daemons[0] if daemons else 0,
        controllers=tuple(entry["pid"] for entry in ours if entry["assignment"] == "execution_controller"),
        workers=sum(entry["assignment"] == "worker" and entry["state"] in _READY for entry in ours),
        processes=len(ours),
    )
