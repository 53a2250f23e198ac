"""Executions of known size, one after the other, under kills, until all planned kills are done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from sliceworks.cli.chaos_check import Evidence, Findings, check
from sliceworks.cli.chaos_cluster import Scene
from sliceworks.cli.chaos_ledger import Ledger
from sliceworks.cli.chaos_plan import Episode, episodes, extra_episode
from sliceworks.cli.chaos_strikes import LOOK_SECONDS, PATIENCE_SECONDS, NoRecoveryError, Strikes
from sliceworks.cli.client import Client
from sliceworks.cli.local_cluster import ClusterPlan

SLICES: Final = 2_000
SLICE_MS: Final = 10
MOST_EXTRA: Final = 20
LATEST_START: Final = 0.5  # an episode begins only as long as at most this part of the slices is made


@dataclass(frozen=True, slots=True)
class Orders:
    """What was asked for."""

    seed: int
    kills: int
    at_most_once: bool


class ChaosRun:
    """One run over a cluster that is there; `check` is called often, and may raise."""

    def __init__(
        self,
        api: Client,
        plan: ClusterPlan,
        orders: Orders,
        *,
        check: Callable[[], None],
        say: Callable[[str], None],
    ) -> None:
        self.ledger = Ledger()
        self.findings = Findings()
        self._extra = 0
        self._plan = plan
        self._orders = orders
        self._check = check
        self._say = say
        self._scene = Scene(api, workers=plan.workers)
        self._strikes = Strikes(self._scene, self.ledger, check=check)

    async def run(self) -> None:
        """Kill, until every episode was played and the last execution is over."""
        left = episodes(self._orders.seed, self._orders.kills)
        started = time.monotonic()
        while left or self._add_missing(left):
            await self._execution(left)
            self._say(
                f"{time.monotonic() - started:.0f} s: execution {self.findings.executions} is over, "
                f"{self.ledger.total} of {self._orders.kills} kills"
            )

    def _add_missing(self, left: list[Episode]) -> bool:
        """Make up for successors that came too late to be killed young; at most so often."""
        missing = list(self.ledger.gaps(self._orders.kills))[: MOST_EXTRA - self._extra]
        left += [extra_episode(kind, self._extra + place) for place, kind in enumerate(missing)]
        self._extra += len(missing)
        return bool(missing)

    async def _execution(self, left: list[Episode]) -> None:
        number = self.findings.executions + 1
        await self._scene.begin(orjson.dumps(self._job(number)), SLICES)
        while (episode := await self._next(left)) is not None:
            left.remove(episode)
            started = time.monotonic()
            await self._strikes.strike(episode)
            self._say(f"{_words(episode)}; whole again in {time.monotonic() - started:.1f} s")
        status = await self._until_gone()
        check(self._evidence(number, status), self.findings)

    async def _next(self, left: list[Episode]) -> Episode | None:
        """The next episode that fits into this execution, once the cluster is whole; None: none does."""
        look = await self._strikes.until_whole()
        if look.is_over or look.counts.made > SLICES * LATEST_START:
            return None
        return next((episode for episode in left if self._strikes.is_fit_for(episode, look)), None)

    async def _until_gone(self) -> str:
        """The terminal status, when no process of the execution is left."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            self._check()
            look = await self._scene.look()
            if look and look.is_over and not look.processes:
                return look.status
            await asyncio.sleep(LOOK_SECONDS)
        message = f"execution {self._scene.ex_id} did not end within {PATIENCE_SECONDS} s"
        raise NoRecoveryError(message)

    def _job(self, number: int) -> dict[str, Any]:
        """Slices of one numbered record; with `max_attempts: 1` each says first that it was begun."""
        once = self._orders.at_most_once
        operations: list[dict[str, Any]] = [{"_op": "data_generator", "size": SLICES, "slice_size": 1}]
        if once:
            operations.append({"_op": "file_exporter", "path": self._folder(number, "begun")})
        operations += [
            {"_op": "delay", "ms": SLICE_MS},
            {"_op": "file_exporter", "path": self._folder(number, "output"), "file_per_slice": True},
        ]
        return {
            "name": f"chaos-{number}",
            "workers": self._plan.workers,
            "max_worker_losses": 1_000,  # it is we who kill them
            **({"max_attempts": 1} if once else {}),
            "operations": operations,
        }

    def _evidence(self, number: int, status: str) -> Evidence:
        data_dir, ex_id = self._plan.data_dir, self._scene.ex_id
        return Evidence(
            ex_id=ex_id,
            status=status,
            slices=SLICES,
            store=data_dir / "master" / "ex" / f"{ex_id}.db",
            output=data_dir / "output" / str(number),
            begun=data_dir / "begun" / str(number) if self._orders.at_most_once else None,
        )

    def _folder(self, number: int, what: str) -> str:
        return str(self._plan.data_dir / what / str(number))


def _words(episode: Episode) -> str:
    """Such as `master and worker killed twice while the slicer hung for 1.2 s`."""
    text = f"{' and '.join(episode.pair)} killed twice"
    pause = episode.pause
    return f"{text} while the {pause.kind} hung for {pause.seconds:.1f} s" if pause else text
