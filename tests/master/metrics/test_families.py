"""The names that dashboards and alerts for Teraslice look for, with the labels that they select by."""

from __future__ import annotations

import re

import pytest

from sliceworks.master.metrics.families import CONTROLLER_FAMILIES, MASTER_FAMILIES
from sliceworks.protocol.families import Family
from sliceworks.worker.figures import WORKER_FAMILIES

CLUSTER = [
    "slices_processed",
    "slices_failed",
    "slices_queued",
    "workers_joined",
    "workers_disconnected",
    "workers_reconnected",
]
CONTROLLER = [
    "workers_active",
    "workers_available",
    "workers_joined",
    "workers_reconnected",
    "workers_disconnected",
    "slices_processed",
    "slices_failed",
    "slices_queued",
    "slicers_count",
]
EXECUTION = [
    "cpu_limit",
    "cpu_request",
    "memory_limit",
    "memory_request",
    "created_timestamp_seconds",
    "updated_timestamp_seconds",
    "slicers",
    "workers",
    "status",
    "info",
]
OF_AN_EXECUTION = {"name", "ex_id", "job_id", "job_name"}
KNOWN = {
    "teraslice_master_info": {
        "name",
        "arch",
        "clustering_type",
        "node_version",
        "platform",
        "teraslice_version",
    },
    **{f"teraslice_{name}": {"name"} for name in CLUSTER},
    **{f"teraslice_controller_{name}": OF_AN_EXECUTION for name in CONTROLLER},
    **{f"teraslice_execution_{name}": OF_AN_EXECUTION for name in EXECUTION},
    "teraslice_execution_status": {*OF_AN_EXECUTION, "status"},
    "teraslice_execution_info": {"ex_id", "job_id", "image", "version"},
}
OF_A_PROCESS = {"ex_id", "job_id", "job_name", "assignment"}
ALL = (*MASTER_FAMILIES, *CONTROLLER_FAMILIES, *WORKER_FAMILIES)


def test_the_master_has_every_name_as_a_gauge() -> None:
    families = {family.name: family for family in MASTER_FAMILIES}
    for name, labels in KNOWN.items():
        assert families[name].kind == "gauge"
        assert labels <= set(families[name].labels), name


def test_controllers_and_workers_say_what_they_are_and_did() -> None:
    for families, info in (
        (CONTROLLER_FAMILIES, "execution_controller_info"),
        (WORKER_FAMILIES, "worker_info"),
    ):
        known = {family.name: set(family.labels) for family in families}
        assert known[f"teraslice_job_{info}"] >= OF_A_PROCESS
        assert known["teraslice_job_slices_processed"] >= OF_A_PROCESS


@pytest.mark.parametrize("family", ALL, ids=lambda family: family.name)
def test_names_and_labels_are_well_formed(family: Family) -> None:
    assert re.fullmatch(r"teraslice_[a-z_]+[a-z]", family.name)
    assert not family.name.endswith(("_total", "_count", "_sum", "_bucket")) or family.name in KNOWN
    assert all(re.fullmatch(r"[a-z_]+", label) and label not in ("le", "quantile") for label in family.labels)
    assert family.about
    if family.kind == "histogram":
        assert family.name.endswith("_seconds")
