"""Rows about memory: the controller while slices pass, a master that remembers much, a worker of its own."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import uuid4

from benchmarks.figures import Figure, Stage, wait_for
from benchmarks.memory import private_bytes, pss_bytes
from benchmarks.ours import cluster_of, noop_job
from tests.acceptance.harness import TERMINAL, Cluster

FIRST, EXECUTIONS = 10_000, 1_000
POINTS = 20
MB = 1_000_000


def memory(stage: Stage) -> list[Figure]:
    """The curve of the controller, a worker's own pages at its end, and the master with many executions."""
    slices = 5_000_000 if stage.is_full else 1_000_000
    folder = stage.folder / "cluster"
    with cluster_of(folder, 2) as cluster:
        curve, worker, ex_id = _follow(cluster, slices)
        cluster.daemons["master"].process.terminate()  # type: ignore[union-attr]  # it was started
        cluster.daemons["master"].process.wait(60)  # type: ignore[union-attr]
        copy_execution(folder / "master" / "cluster.db", ex_id, EXECUTIONS - 1)
        cluster.start("master")
        known = cluster.get("/ex", size=2 * EXECUTIONS)
        master = pss_bytes(cluster.daemons["master"].pid) / MB
    growth = max(curve.values()) - curve[min(curve)]
    points = {str(number): round(size, 1) for number, size in curve.items()}
    return [
        Figure(
            f"controller, growth from {FIRST:,} to {slices:,} slices",
            [growth],
            "MB",
            at_most=20,
            details={"curve_mb": points},
        ),
        Figure("controller at its largest (PSS)", [max(curve.values())], "MB"),
        Figure("a worker's own pages", [worker], "MB", at_most=25),
        Figure(f"master, {len(known):,} executions in the store (PSS)", [master], "MB", at_most=100),
    ]


def _follow(cluster: Cluster, slices: int) -> tuple[dict[int, float], float, str]:
    """MB of the controller by completed slices, a worker's private MB near the end, and the execution."""
    ex_id = cluster.submit(noop_job(slices))
    cluster.wait_completed(ex_id, FIRST)
    controller = cluster.pids("execution_controller", ex_id)[0]
    workers = cluster.pids("worker", ex_id)
    curve, worker = {FIRST: pss_bytes(controller) / MB}, 0.0
    for step in range(1, POINTS):
        goal = slices * step // POINTS
        wait_for(lambda goal=goal: cluster.counts(ex_id)["completed"] >= goal, pause=0.1)  # type: ignore[misc]
        curve[goal] = pss_bytes(controller) / MB
        worker = max(private_bytes(pid) for pid in workers) / MB
    wait_for(lambda: cluster.status(ex_id) in TERMINAL, pause=0.1)
    cluster.wait_until_gone(ex_id)
    return curve, worker, ex_id


def copy_execution(store: Path, ex_id: str, copies: int) -> None:
    """So many more executions that ended like this one, each of a job of its own; the master is stopped."""
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.row_factory = sqlite3.Row
        execution = _row(connection, "executions", key="ex_id", value=ex_id)
        job = _row(connection, "jobs", key="job_id", value=str(execution["job_id"]))
        document = _row(connection, "execution_documents", key="ex_id", value=ex_id)
        for _ in range(copies):
            new = {"ex_id": str(uuid4()), "job_id": str(uuid4())}
            for table, row in (("jobs", job), ("executions", execution), ("execution_documents", document)):
                _insert(connection, table, {name: new.get(name, value) for name, value in row.items()})


def _row(connection: sqlite3.Connection, table: str, *, key: str, value: str) -> dict[str, object]:
    """Without its number, which the copy gets anew."""
    row = dict(connection.execute(f"SELECT * FROM {table} WHERE {key} = ?", (value,)).fetchone())
    row.pop("number", None)
    return row


def _insert(connection: sqlite3.Connection, table: str, row: dict[str, object]) -> None:
    marks = ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))
