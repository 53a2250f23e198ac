"""How soon the API answers, with much in the store, while a job runs at full speed in the same cluster.

1,000 executions and 1,000,000 slices are written by the stores' own verbs before the master starts: half of
the slices in one execution, one slice in a hundred in `error`.
"""

from __future__ import annotations

import asyncio
import http.client
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import cycle
from pathlib import Path
from uuid import uuid4

import orjson

from benchmarks.figures import Figure, Stage, percentile
from benchmarks.ours import cluster_of, noop_job
from sliceworks.master.store.batch import Batch, Group, Head
from sliceworks.master.store.engine import StateStore
from sliceworks.master.store.records import AddExecution, AddJob, Change, ExecutionRow, Fate, JobRecord
from sliceworks.operations.validation import validate_job
from sliceworks.protocol.messages import SliceCounts, Statistics, Wishes
from sliceworks.protocol.states import ErrorReason, ExecutionStatus, ResultKind, SliceState
from tests.acceptance.harness import Cluster

EXECUTIONS, LARGE, SMALL = 1_000, 500_500, 500  # slices of the first, and of each of the others
GROUP = 50_000
ERRORS_IN = 100
REQUESTS = 400
LIMIT_MS = 50
MADE_MS = 1_790_000_000_000
ERROR = (
    "Traceback (most recent call last):\n"
    + '  File "operation.py", line 7, in on_batch\n' * 10
    + "ValueError: bad"
)


def api(stage: Stage) -> list[Figure]:
    """p50 and p99 of what dashboards and scripts ask for."""
    folder = stage.folder / "cluster"
    ex_ids = fill(folder / "master")
    with cluster_of(folder, 2) as cluster:
        ex_id = cluster.submit(noop_job(100_000_000))
        cluster.wait_completed(ex_id, 10_000)
        before, started = cluster.counts(ex_id)["completed"], time.perf_counter()
        measured = measure(cluster, ex_ids)
        seconds = time.perf_counter() - started
        speed = (cluster.counts(ex_id)["completed"] - before) / seconds
        cluster.post(f"/ex/{ex_id}/_stop", timeout=0)
    figures = [Figure("slices a second meanwhile", [speed], "1/s")]
    for path, latencies in measured.items():
        p50, p99, longest = percentile(latencies, 50), percentile(latencies, 99), max(latencies)
        note = f"{len(latencies)} requests, p50 {p50:.1f} ms, longest {longest:.1f} ms"
        figures.append(Figure(f"GET {path}, p99", [p99], "ms", at_most=LIMIT_MS, note=note))
    return figures


def measure(cluster: Cluster, ex_ids: Sequence[str]) -> dict[str, list[float]]:
    """Milliseconds of each request; the paths in turns, every second execution the large one."""
    ids = cycle([each for pair in zip(ex_ids[1:], cycle(ex_ids[:1]), strict=False) for each in pair])
    paths: dict[str, Callable[[], str]] = {
        "/ex?size=100": lambda: "/ex?size=100",
        "/ex/{id}": lambda: f"/ex/{next(ids)}",
        "/cluster/state": lambda: "/cluster/state",
        "/ex/{id}/errors": lambda: f"/ex/{next(ids)}/errors",
        "/ex/{id}/slices/_count": lambda: f"/ex/{next(ids)}/slices/_count",
        "/txt/ex": lambda: "/txt/ex",
    }
    latencies: dict[str, list[float]] = {name: [] for name in paths}
    connection = http.client.HTTPConnection("127.0.0.1", cluster.port)
    for _ in range(REQUESTS):
        for name, path in paths.items():
            target = path()
            started = time.perf_counter()
            connection.request("GET", target)
            response = connection.getresponse()
            body = response.read()
            latencies[name].append((time.perf_counter() - started) * 1000)
            if response.status != http.client.OK or not body:
                message = f"{target}: {response.status}"
                raise RuntimeError(message)
    connection.close()
    return latencies


def fill(data_dir: Path) -> list[str]:
    """Write all executions with their slices; the ex_ids, that of the large one first."""
    (data_dir / "ex").mkdir(parents=True)
    state = StateStore("sqlite", data_dir, "process")
    validated = validate_job(noop_job(LARGE))
    changes: list[Change] = []
    ex_ids = [str(uuid4()) for _ in range(EXECUTIONS)]
    for place, ex_id in enumerate(ex_ids):
        slices = SMALL if place else LARGE
        changes += _execution(ex_id, validated, slices=slices, at_ms=MADE_MS + place)
        _write_slices(state, ex_id, slices)
    asyncio.run(_save(state, changes))
    return ex_ids


def _execution(ex_id: str, validated: dict[str, object], *, slices: int, at_ms: int) -> list[Change]:
    job_id, name = str(uuid4()), str(validated["name"])
    document = orjson.dumps({**validated, "ex_id": ex_id, "job_id": job_id, "metadata": {}, "_context": "ex"})
    errors = slices // ERRORS_IN
    row = ExecutionRow(
        ex_id=ex_id,
        job_id=job_id,
        name=name,
        created_ms=at_ms,
        updated_ms=at_ms,
        status=ExecutionStatus.FAILED,
        wishes=Wishes(workers=2, paused=False, stopping=False, grace_ms=0, log_level=""),
        generation=1,
        fate=Fate(outcome="failed"),
        failure=f"execution: {ex_id} had {errors} slice failure(s) during processing",
        has_errors=True,
        statistics=Statistics(),
        counts=SliceCounts(0, 0, slices - errors, errors),
    )
    job = JobRecord(job_id, name, orjson.dumps(noop_job(slices)), created_ms=at_ms, updated_ms=at_ms)
    return [AddJob(job), AddExecution(row, document)]


async def _save(state: StateStore, changes: list[Change]) -> None:
    async with state.open_cluster() as store:
        await store.save(changes)


def _write_slices(state: StateStore, ex_id: str, slices: int) -> None:
    """As a controller does, only in larger batches."""
    store = state.open_execution(ex_id, generation=1)
    starts = range(1, slices + 1, GROUP)
    for number, start in enumerate(starts, 1):
        seqs = range(start, min(start + GROUP, slices + 1))
        done = seqs[-1] // ERRORS_IN
        is_last = seqs[-1] == slices
        outcome = "failed" if is_last else None
        head = Head(completed=seqs[-1] - done, error=done, started_ms=MADE_MS, outcome=outcome)
        slicers = [(0, seqs[-1], _request(seqs[-1]), None, is_last)]
        nodes = [(1, "node", "incarnation", "127.0.0.1")] if number == 1 else []
        store.apply(Batch(number, asdict(head), [_group(seqs)], slicers, nodes, []))
    store.close()


def _group(seqs: range) -> Group:
    leased, failed = SliceState.START, [seq for seq in seqs if seq % ERRORS_IN == 0]
    inserts = [(seq, 0, seq, _request(seq), leased, 1, MADE_MS, MADE_MS, 1, MADE_MS) for seq in seqs]
    done = [(7, MADE_MS, 123, MADE_MS + seq, seq) for seq in seqs if seq % ERRORS_IN]
    ends = [(SliceState.ERROR, MADE_MS + seq, 1, 0, ErrorReason.FAILED, seq) for seq in failed]
    kind = ResultKind.ERROR
    attempts = [(7, MADE_MS, 123, MADE_MS + seq, kind, ERROR, "noop", None, None, "", seq) for seq in failed]
    return Group(inserts=inserts, completions=done, ends=ends, first_attempts=attempts)


def _request(seq: int) -> bytes:
    return b'{"start":%d,"count":1}' % seq
