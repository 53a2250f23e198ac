"""The API's own document against real masters: what one answers, and calls that are made from the document.

schemathesis makes the calls: valid and invalid ones, from a seed.  It talks to a master that has no node, so
that nothing that it submits ever runs, and all that it leaves is in a folder of the test.  What it does is
bounded by the number of examples of each operation; SCHEMATHESIS_EXAMPLES asks for more, to show.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from sliceworks.master.metrics.families import CONTROLLER_FAMILIES
from sliceworks.worker.figures import WORKER_FAMILIES
from tests.acceptance.harness import Cluster, free_port, running_cluster
from tests.acceptance.jobs import Job, delay, generated, noop
from tests.master.api.described import Described, Document

EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "3")
SEED = os.environ.get("SCHEMATHESIS_SEED", "20261122")
NOT_CHECKED = "positive_data_acceptance,use_after_free"
"""A text that a schema allows may be no operation, no asset, no filter; deleted jobs stay readable."""

FAILING: Job = {"_op": "script", "command": "false"}
LIVING = generated(delay(20), size=5, lifecycle="persistent", workers=2)


@dataclass(frozen=True)
class LivedIn:
    """A cluster in which things happened, and the executions to look at."""

    cluster: Cluster
    metrics_port: int
    failed: str
    ended: str
    running: str

    @property
    def executions(self) -> tuple[str, str, str]:
        return self.failed, self.ended, self.running


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivedIn]:
    port = free_port()
    with running_cluster(tmp_path_factory.mktemp("lived-in"), 4, metrics_port=port) as cluster:
        failed = cluster.submit(generated(FAILING, size=3, max_retries=1, workers=1))
        ended = cluster.submit(generated(noop(), size=5, workers=1))
        cluster.wait_until_over(failed)
        cluster.wait_until_over(ended)
        running = cluster.submit(LIVING)
        cluster.wait_completed(running, 10)
        yield LivedIn(cluster, port, failed, ended, running)


def fetch(url: str, **headers: str) -> tuple[int, str, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as response:
            return response.status, response.headers["Content-Type"], response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read()


def read_document(cluster: Cluster) -> Document:
    return Document(json.loads(fetch(f"{cluster.url}/openapi.json")[2]))


def places(lived_in: LivedIn, operation: Described) -> Iterator[str]:
    for ex_id in lived_in.executions:
        ids = {"ex_id": ex_id, "job_id": lived_in.cluster.get(f"/ex/{ex_id}")["job_id"]}
        yield operation.path.format_map({**ids, "name": "none", "version": "1.0.0"})


def test_everything_that_can_be_read_is_as_documented(lived_in: LivedIn) -> None:
    document = read_document(lived_in.cluster)
    for operation in document.operations():
        if operation.method == "GET":
            for path in dict.fromkeys(places(lived_in, operation)):
                status, media, body = fetch(lived_in.cluster.url + path)
                document.check(operation, status, media, body)
                assert status in (200, 404), path


def test_slices_have_what_the_document_names(lived_in: LivedIn) -> None:
    (record, *_) = lived_in.cluster.get(f"/ex/{lived_in.failed}/errors")
    schemas = read_document(lived_in.cluster).document["components"]["schemas"]
    assert set(record) == set(schemas["Slice"]["properties"])
    seen = {name for attempt in record["attempts"] for name in attempt}
    assert seen <= set(schemas["Attempt"]["properties"])


def test_histograms_agree_with_the_counters(lived_in: LivedIn) -> None:
    figures = scrape(f"{lived_in.cluster.url}/metrics")
    run, wait = "teraslice_execution_slice_run_seconds_count", "teraslice_execution_slice_wait_seconds_count"
    assert figures[run, lived_in.ended] == figures[wait, lived_in.ended] == 5
    assert (figures[run, lived_in.failed], figures[wait, lived_in.failed]) == (6, 3)  # two tries each
    assert figures[run, lived_in.running] >= 10


def test_the_controller_and_the_node_show_themselves(lived_in: LivedIn) -> None:
    port = lived_in.cluster.get(f"/ex/{lived_in.running}")["slicer_port"]
    controller = scrape(f"http://127.0.0.1:{port}/metrics")
    node = scrape(f"http://127.0.0.1:{lived_in.metrics_port}/metrics")
    for figures, families in ((controller, CONTROLLER_FAMILIES), (node, WORKER_FAMILIES)):
        names = {name for name, _ in figures}
        assert {f.name + ("_count" if f.kind == "histogram" else "") for f in families} <= names
        assert {"process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds_total"} <= names
    for figures in (controller, node):
        assert figures["teraslice_job_slices_processed", lived_in.running] >= 10
        assert figures["teraslice_job_slice_run_seconds_count", lived_in.running] >= 10
    assert node["teraslice_job_worker_info", lived_in.running] == 2
    assert node["teraslice_job_node_slots", ""] == 4


def scrape(url: str) -> dict[tuple[str, str], float]:
    """The newest value of each figure, by name and execution."""
    status, media, body = fetch(url, Accept="application/openmetrics-text")
    assert (status, media) == (200, "application/openmetrics-text; version=1.0.0; charset=utf-8")
    return {
        (sample.name, sample.labels.get("ex_id", "")): sample.value
        for family in text_string_to_metric_families(body.decode())  # type: ignore[no-untyped-call]  # as shipped
        for sample in family.samples
    }


@pytest.mark.timeout(1_800)
def test_calls_made_from_the_document_find_no_fault(tmp_path: Path) -> None:
    with running_cluster(tmp_path / "cluster") as cluster:
        cluster.submit(generated(noop(), size=1))
        cluster.post("/jobs", generated(noop(), size=1), start="false")
        report = schemathesis(cluster.url, tmp_path)
        faults = {key: report[key] for key in ("failures", "errors") if report[key]}
        assert not faults, (tmp_path / "output").read_text()[-20_000:]
        assert (report["exit_code"], report["complete"]) == (0, True)
        operations = len(list(read_document(cluster).operations())) - 1  # it does not test the document
        assert report["operations"]["tested"] == operations
        generated_calls = report["test_cases"]["generated"]
        print(f"schemathesis: {operations} operations, {generated_calls} calls, 0 failures")
        assert cluster.get("/ex", status="running,completed,failed") == []
        assert "request_failed" not in cluster.daemons["master"].log_text()


def schemathesis(url: str, folder: Path) -> dict[str, Any]:
    """Run it as a command; its report."""
    options = ["--max-examples", EXAMPLES, "--seed", SEED, "--exclude-checks", NOT_CHECKED, "--workers", "2"]
    report = ["--report-json-path", str(folder / "report.json"), "--continue-on-failure"]
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json", *options, *report]
    with (folder / "output").open("wb") as output:
        subprocess.run(command, cwd=folder, stdout=output, stderr=output, check=False, timeout=1_800)
    loaded: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return loaded
