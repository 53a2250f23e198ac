"""Rows that count slices a second: one execution and its peers, PostgreSQL, eight executions at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TypeVar

from benchmarks import peers
from benchmarks.figures import Figure, Skipped, Stage, ratio
from benchmarks.ours import cluster_of, noop_job, rate, seconds_of
from benchmarks.report import ROOT

SLICES = 200_000
TURNS = 3
UNITS = {"celery": 3_000, "dask": 5_000, "pgqueuer": 40_000}
AT_ONCE = 8
Turn = Callable[[], float]
T = TypeVar("T")


def one_execution(stage: Stage) -> list[Figure]:
    """Ours, the skeleton and the peers, in turns; a peer that is missing leaves its lines out and says so."""
    with ExitStack() as stack, cluster_of(stage.folder / "cluster", 2) as cluster:
        redis = _started(stack, peers.redis_server(stage.folder))
        postgres = _started(stack, peers.postgres_server(stage.folder))
        rate(cluster, SLICES // 10)
        turns: dict[str, Turn] = {
            "sliceworks": lambda: rate(cluster, SLICES),
            "skeleton": lambda: skeleton(stage.folder),
            "Celery + Redis": lambda: celery(redis()),
            "dask.distributed": dask,
            "pgqueuer + PostgreSQL": lambda: pgqueuer(postgres().new_url()),
        }
        return _compared(*in_turns(turns))


def postgres(stage: Stage) -> list[Figure]:
    """Our store in PostgreSQL, and pgqueuer in turns on the same server."""
    with peers.postgres_server(stage.folder) as server:
        try:
            with cluster_of(stage.folder / "cluster", 2, state={"url": server.new_url()}) as cluster:
                rate(cluster, SLICES // 10)
                turns: dict[str, Turn] = {
                    "sliceworks": lambda: rate(cluster, SLICES),
                    "pgqueuer + PostgreSQL": lambda: pgqueuer(server.new_url()),
                }
                measured, missing = in_turns(turns)
        except RuntimeError as error:
            message = f"the PostgreSQL store does not run: {str(error)[:200]}"
            raise Skipped(message) from error
    ours = Figure("slices a second, PostgreSQL store", measured["sliceworks"], "/s", at_least=20_000)
    if missing:
        return [Figure(ours.what, ours.values, "/s", at_least=20_000, note="; ".join(missing))]
    theirs = Figure("pgqueuer, same run", measured["pgqueuer + PostgreSQL"], "/s")
    return [ours, theirs, ratio("ours to pgqueuer", ours, theirs, at_least=1.0)]


def executions(stage: Stage) -> list[Figure]:
    """Eight executions with a worker each, and one with two workers, in turns."""
    each = noop_job(SLICES // AT_ONCE, workers=1)
    with cluster_of(stage.folder / "cluster", AT_ONCE) as cluster:
        rate(cluster, SLICES // 10)
        turns: dict[str, Turn] = {
            "one": lambda: rate(cluster, SLICES),
            "eight": lambda: SLICES / seconds_of(cluster, *[each] * AT_ONCE),
        }
        measured, _ = in_turns(turns)
    one = Figure("one execution, 2 workers", measured["one"], "/s")
    eight = Figure("eight at once, 1 worker each, in total", measured["eight"], "/s")
    return [one, eight, ratio("eight to one", eight, one, at_least=0.8)]


def in_turns(turns: dict[str, Turn]) -> tuple[dict[str, list[float]], list[str]]:
    """Each once, TURNS times over; what cannot run is left out, with the reason."""
    measured: dict[str, list[float]] = {}
    missing: dict[str, str] = {}
    for _ in range(TURNS):
        for name, turn in turns.items():
            if name in missing:
                continue
            try:
                measured.setdefault(name, []).append(turn())
            except (Skipped, subprocess.SubprocessError) as reason:
                missing[name] = f"{name}: {reason}"
                measured.pop(name, None)
    return measured, list(missing.values())


def skeleton(folder: Path) -> float:
    """Slices a second of the bare path."""
    for path in folder.glob("skeleton.db*"):
        path.unlink()
    command = [sys.executable, "-m", "benchmarks.skeleton", str(folder), str(SLICES)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=120)
    return float(done.stdout)


def celery(port: int) -> float:
    return peers.measure("celery", "celery_peer.py", redis_port=port, units=UNITS["celery"])


def dask() -> float:
    return peers.measure("dask", "dask_peer.py", units=UNITS["dask"])


def pgqueuer(url: str) -> float:
    return peers.measure("pgqueuer", "pgqueuer_peer.py", postgres=url, units=UNITS["pgqueuer"])


def _started(stack: ExitStack, server: AbstractContextManager[T]) -> Callable[[], T]:
    """Who needs the server asks for it; a server that cannot be had is a reason only for them."""
    try:
        value = stack.enter_context(server)
    except Skipped as skipped:
        text = str(skipped)

        def missing() -> T:
            raise Skipped(text)

        return missing
    return lambda: value


def _compared(measured: dict[str, list[float]], missing: list[str]) -> list[Figure]:
    ours = Figure("slices a second", measured["sliceworks"], "/s", at_least=30_000, note="; ".join(missing))
    wanted = {
        "Celery + Redis": 20.0,
        "dask.distributed": 8.0,
        "pgqueuer + PostgreSQL": 1.5,
        "skeleton": 0.25,
    }
    figures = [ours]
    for name, factor in wanted.items():
        if name in measured:
            theirs = Figure(f"{name}, same run", measured[name], "/s")
            figures += [theirs, ratio(f"ours to {name}", ours, theirs, at_least=factor)]
    return figures
