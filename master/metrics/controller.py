"""What a controller shows on `/metrics` of its own listener: itself, and the execution that it runs."""

from __future__ import annotations

from sliceworks.master.metrics.families import CONTROLLER, CONTROLLER_FAMILIES
from sliceworks.master.metrics.identity import ControllerInfo
from sliceworks.protocol.exposition import Sheet, own_process
from sliceworks.protocol.messages import ControllerReport
from sliceworks.protocol.timings import RUN_BOUNDS_US, WAIT_BOUNDS_MS
from sliceworks.protocol.version import own_version


def encoded(info: ControllerInfo, report: ControllerReport, accept: str) -> tuple[bytes, str]:
    """The text for a scraper, and its content type."""
    sheet = Sheet(CONTROLLER_FAMILIES)
    labels = (info.ex_id, info.job_id, info.job_name, CONTROLLER)
    who = (*labels, str(info.generation), f"v{own_version()}")
    sheet.put("teraslice_job_execution_controller_info", who, 1)
    for kind in ("processed", "failed", "queued"):
        sheet.put(f"teraslice_job_slices_{kind}", labels, getattr(report.statistics, kind))
    for kind in ("active", "available"):
        sheet.put(f"teraslice_job_workers_{kind}", labels, getattr(report.statistics, f"workers_{kind}"))
    run, wait = report.timings.run_us, report.timings.wait_ms
    sheet.put_histogram(
        "teraslice_job_slice_run_seconds", labels, run, bounds=RUN_BOUNDS_US, per_second=1_000_000
    )
    sheet.put_histogram(
        "teraslice_job_slice_wait_seconds", labels, wait, bounds=WAIT_BOUNDS_MS, per_second=1_000
    )
    own_process(sheet)
    return sheet.encoded(accept)
