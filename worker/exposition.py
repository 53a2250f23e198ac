"""The figures of a worker daemon as text for Prometheus."""

from __future__ import annotations

from sliceworks.protocol.exposition import Sheet, own_process
from sliceworks.protocol.timings import RUN_BOUNDS_US
from sliceworks.protocol.version import own_version
from sliceworks.worker.figures import ASSIGNMENT, WORKER_FAMILIES, NodeFigures


def encoded(figures: NodeFigures, accept: str) -> tuple[bytes, str]:
    """The text for a scraper, and its content type."""
    sheet = Sheet(WORKER_FAMILIES)
    node = (figures.node_id, figures.hostname)
    sheet.put("teraslice_job_node_slots", node, figures.slots)
    sheet.put("teraslice_job_node_workers", node, figures.workers)
    sheet.put("teraslice_job_node_master_connected", node, figures.master_found)
    for pool in figures.pools:
        labels = (pool.ex_id, pool.job_id, pool.job_name, ASSIGNMENT, figures.node_id)
        run = pool.timings.run_us
        sheet.put("teraslice_job_worker_info", (*labels, f"v{own_version()}"), pool.workers)
        sheet.put("teraslice_job_slices_processed", labels, run.number)
        sheet.put_histogram(
            "teraslice_job_slice_run_seconds", labels, run, bounds=RUN_BOUNDS_US, per_second=1_000_000
        )
    own_process(sheet)
    return sheet.encoded(accept)
