"""`/metrics` of a master, read by the parsers of Prometheus' own library."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_plain
from prometheus_client.samples import Sample

from sliceworks.master.metrics.families import MASTER_FAMILIES
from sliceworks.protocol.messages import (
    Histogram,
    OperationTotals,
    SliceCounts,
    SliceTimings,
    Statistics,
)
from sliceworks.protocol.states import ExecutionStatus
from sliceworks.protocol.timings import RUN_BOUNDS_US, WAIT_BOUNDS_MS
from tests.master.played import JOB, PlayedMaster

OPENMETRICS = "application/openmetrics-text; version=1.0.0; q=0.7, text/plain;version=0.0.4;q=0.3"
TIMINGS = SliceTimings(
    Histogram([1] * 3 + [4] * (len(RUN_BOUNDS_US) - 3), 5, 7_000_000),
    Histogram([0] * 4 + [6] * (len(WAIT_BOUNDS_MS) - 4), 6, 3_000),
)
REPORT: dict[str, Any] = {
    "statistics": Statistics(
        workers_available=1, workers_active=2, processed=5, failed=1, queued=3, slicers=1
    ),
    "counts": SliceCounts(3, 1, 4, 1),
    "operations": [OperationTotals(0, 5, 2_500_000, 0, 50, 1_000), OperationTotals(1, 5, 10, 50, 50, 1_000)],
    "timings": TIMINGS,
}


class Scrape:
    """The samples of one scrape, by name."""

    def __init__(self, text: str, *, openmetrics: bool = False) -> None:
        parse = parse_openmetrics if openmetrics else parse_plain
        self.families = {family.name: family for family in parse(text)}

    def samples(self, figure: str, /, **labels: str) -> Iterator[Sample]:
        for family in self.families.values():
            for sample in family.samples:
                if sample.name == figure and labels.items() <= sample.labels.items():
                    yield sample

    def value(self, figure: str, /, **labels: str) -> float:
        (sample,) = self.samples(figure, **labels)
        return sample.value

    @property
    def names(self) -> set[str]:
        return {sample.name for family in self.families.values() for sample in family.samples}


async def scrape(master: PlayedMaster, accept: str = "") -> Scrape:
    headers = {"Accept": accept} if accept else {}
    async with master.client.get("/metrics", headers=headers) as response:
        assert response.status == 200
        openmetrics = "openmetrics" in accept
        media = response.headers["Content-Type"]
        assert media.startswith(
            "application/openmetrics-text; version=1.0.0" if openmetrics else "text/plain; version=0.0.4"
        )
        return Scrape(await response.text(), openmetrics=openmetrics)


@pytest.mark.parametrize("accept", ["", OPENMETRICS, "text/plain", "*/*", "nonsense; version=x"])
async def test_every_family_is_there_with_its_type_in_both_formats(master: PlayedMaster, accept: str) -> None:
    resources = {"resources_requests_cpu": 1, "resources_limits_cpu": 2.5}
    resources |= {"resources_requests_memory": 1_000, "resources_limits_memory": 2_000}
    async with master.node():
        started = await master.submit({**JOB, **resources})
        async with master.controller(started["ex_id"]) as controller:
            await controller.reports(**REPORT)
            await master.wait_status(started["ex_id"], "running")
            found = await scrape(master, accept)
    types = {name: family.type for name, family in found.families.items()}
    wanted = {family.name: family.kind for family in MASTER_FAMILIES}
    assert {name: types.get(name) for name in wanted} == wanted
    assert {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"} <= found.names
    for family in MASTER_FAMILIES:
        (labels,) = {frozenset(sample.labels) - {"le"} for sample in found.families[family.name].samples}
        assert labels == frozenset(family.labels), family.name


async def test_figures_of_an_execution(master: PlayedMaster) -> None:
    async with master.node():
        started = await master.submit()
        ex = {"ex_id": started["ex_id"], "job_id": started["job_id"], "job_name": "played", "name": "played"}
        async with master.controller(started["ex_id"]) as controller:
            await controller.reports(**REPORT)
            await master.wait_status(started["ex_id"], "running")
            found = await scrape(master)
    assert found.value("teraslice_controller_workers_active", **ex) == 2
    assert found.value("teraslice_controller_workers_available", **ex) == 1
    assert found.value("teraslice_controller_slices_processed", **ex) == 5
    assert found.value("teraslice_controller_slices_queued", **ex) == 3
    assert found.value("teraslice_controller_slicers_count", **ex) == 1
    assert found.value("teraslice_execution_workers", **ex) == 2
    assert found.value("teraslice_execution_slices", **ex, state="completed") == 4
    assert found.value("teraslice_slices_processed", name="played") == 5
    assert found.value("teraslice_executions", name="played", status="running") == 1
    assert found.value("teraslice_worker_slots", name="played") == 4
    assert found.value("teraslice_worker_slots_available", name="played") == 2
    assert found.value("teraslice_nodes", name="played", state="connected") == 1
    assert found.value("teraslice_store_trouble", name="played") == 0
    assert found.value("teraslice_execution_operation_seconds_total", **ex, place="0") == 2.5
    assert found.value("teraslice_execution_operation_records_in_total", **ex, op="noop") == 50
    statuses = {s.labels["status"]: s.value for s in found.samples("teraslice_execution_status", **ex)}
    assert statuses == {status.value: float(status.value == "running") for status in ExecutionStatus}


async def test_histograms_are_in_seconds(master: PlayedMaster) -> None:
    async with master.node():
        started = await master.submit()
        async with master.controller(started["ex_id"]) as controller:
            await controller.reports(**REPORT)
            await master.wait_status(started["ex_id"], "running")
            found = await scrape(master)
    run = "teraslice_execution_slice_run_seconds"
    assert (found.value(f"{run}_count"), found.value(f"{run}_sum")) == (5, 7)
    assert (found.value(f"{run}_bucket", le="0.01"), found.value(f"{run}_bucket", le="0.05")) == (1, 4)
    assert found.value(f"{run}_bucket", le="+Inf") == 5
    wait = "teraslice_execution_slice_wait_seconds"
    assert (found.value(f"{wait}_count"), found.value(f"{wait}_sum")) == (6, 3)
    assert found.value(f"{wait}_bucket", le="0.5") == 0
    assert found.value(f"{wait}_bucket", le="1.0") == 6


async def test_an_execution_that_ended_is_still_shown(master: PlayedMaster) -> None:
    async with master.node() as node:
        started = await master.submit()
        ex_id = started["ex_id"]
        async with master.controller(ex_id) as controller:
            await controller.reports()
            await master.wait_status(ex_id, "running")
            await controller.concludes("completed", **REPORT)
            await node.runs()
            await master.wait_status(ex_id, "completed")
        master.processes.exited(ex_id)
        found = await scrape(master)
    assert found.value("teraslice_execution_status", ex_id=ex_id, status="completed") == 1
    assert found.value("teraslice_execution_slice_run_seconds_count", ex_id=ex_id) == 5
    assert not list(found.samples("teraslice_controller_slices_processed", ex_id=ex_id))


async def test_labels_may_be_any_text(master: PlayedMaster) -> None:
    name = 'a "quoted"\\ name\nin two lines, ünd mehr'
    started = await master.submit({**JOB, "name": name})
    for accept in ("", OPENMETRICS):
        found = await scrape(master, accept)
        assert found.value("teraslice_execution_workers", ex_id=started["ex_id"], job_name=name) == 2


async def test_what_is_shown_is_the_same_in_both_formats(master: PlayedMaster) -> None:
    await master.submit()
    plain, open_ = await scrape(master), await scrape(master, OPENMETRICS)
    assert plain.names == open_.names


async def test_it_is_there_under_both_prefixes(master: PlayedMaster) -> None:
    for path in ("/metrics", "/v1/metrics", "/metrics/"):
        async with master.client.get(path) as response:
            assert response.status == 200
