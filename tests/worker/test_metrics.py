"""The listener of a worker daemon for Prometheus."""

from __future__ import annotations

import socket

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from sliceworks.protocol.errors import ConfigError
from sliceworks.protocol.messages import Histogram, SliceTimings
from sliceworks.protocol.timings import RUN_BOUNDS_US
from sliceworks.worker.figures import WORKER_FAMILIES, NodeFigures, PoolFigures
from sliceworks.worker.metrics import serving_metrics

TIMINGS = SliceTimings(Histogram([2] * len(RUN_BOUNDS_US), 2, 1_000))
FIGURES = NodeFigures("node", "host", 4, 2, True, [PoolFigures("ex", "job", "my job", 2, TIMINGS)])


async def figures() -> NodeFigures:
    return FIGURES


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


async def test_it_shows_the_node_and_its_executions() -> None:
    port = free_port()
    async with (
        serving_metrics("127.0.0.1", port, figures),
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/metrics") as response,
    ):
        text = await response.text()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert {family.name for family in WORKER_FAMILIES} <= families.keys()
    values = {sample.name: sample.value for family in families.values() for sample in family.samples}
    assert values["teraslice_job_worker_info"] == 2
    assert values["teraslice_job_slices_processed"] == values["teraslice_job_slice_run_seconds_count"] == 2
    assert (values["teraslice_job_node_slots"], values["teraslice_job_node_master_connected"]) == (4, 1)
    (info,) = families["teraslice_job_worker_info"].samples
    assert info.labels["assignment"] == "worker"
    assert info.labels["job_name"] == "my job"


async def test_without_a_port_nothing_is_served() -> None:
    async with serving_metrics("127.0.0.1", 0, figures):
        pass


async def test_a_port_that_is_taken_stops_the_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port}: .*metrics_port"):
            async with serving_metrics("127.0.0.1", port, figures):
                pass
