"""Every figure that master and controllers show; `docs/monitoring.md` is made from these tables.

Names and labels are those that dashboards for Teraslice know; most of its figures are gauges there, and so
they are here.  What only Sliceworks has comes after, with the type that it is.
"""

from __future__ import annotations

from typing import Final

from sliceworks.protocol.families import Family

CLUSTER: Final = ("name",)
EXECUTION: Final = ("name", "ex_id", "job_id", "job_name")
JOB: Final = ("ex_id", "job_id", "job_name", "assignment")
CONTROLLER: Final = "execution_controller"

MASTER_FAMILIES: Final = (
    Family(
        "teraslice_master_info",
        "gauge",
        "1; what the master is",
        (
            "name",
            "arch",
            "clustering_type",
            "node_version",
            "platform",
            "teraslice_version",
            "sliceworks_version",
        ),
    ),
    Family("teraslice_slices_processed", "gauge", "slices that ended, in all executions ever", CLUSTER),
    Family("teraslice_slices_failed", "gauge", "of these: in error", CLUSTER),
    Family("teraslice_slices_queued", "gauge", "slices made and not given out now", CLUSTER),
    Family("teraslice_workers_joined", "gauge", "workers that joined an execution, ever", CLUSTER),
    Family("teraslice_workers_disconnected", "gauge", "workers that were lost, ever", CLUSTER),
    Family("teraslice_workers_reconnected", "gauge", "workers that came back, ever", CLUSTER),
    Family("teraslice_controller_workers_active", "gauge", "workers with a slice in hand", EXECUTION),
    Family("teraslice_controller_workers_available", "gauge", "workers without one", EXECUTION),
    Family("teraslice_controller_workers_joined", "gauge", "workers that joined, ever", EXECUTION),
    Family("teraslice_controller_workers_reconnected", "gauge", "workers that came back, ever", EXECUTION),
    Family("teraslice_controller_workers_disconnected", "gauge", "workers that were lost, ever", EXECUTION),
    Family("teraslice_controller_slices_processed", "gauge", "slices that ended", EXECUTION),
    Family("teraslice_controller_slices_failed", "gauge", "of these: in error", EXECUTION),
    Family("teraslice_controller_slices_queued", "gauge", "slices made and not given out now", EXECUTION),
    Family("teraslice_controller_slicers_count", "gauge", "slicers", EXECUTION),
    Family(
        "teraslice_execution_info",
        "gauge",
        "1; image is empty: there are no containers",
        (*EXECUTION, "image", "version"),
    ),
    Family("teraslice_execution_status", "gauge", "1 for the status it has, else 0", (*EXECUTION, "status")),
    Family("teraslice_execution_created_timestamp_seconds", "gauge", "when it was created", EXECUTION),
    Family("teraslice_execution_updated_timestamp_seconds", "gauge", "when it changed last", EXECUTION),
    Family("teraslice_execution_slicers", "gauge", "slicers that it asks for", EXECUTION),
    Family("teraslice_execution_workers", "gauge", "workers that it asks for", EXECUTION),
    Family("teraslice_execution_cpu_request", "gauge", "as the job says; nothing is done with it", EXECUTION),
    Family("teraslice_execution_cpu_limit", "gauge", "as the job says; nothing is done with it", EXECUTION),
    Family(
        "teraslice_execution_memory_request", "gauge", "as the job says; nothing is done with it", EXECUTION
    ),
    Family(
        "teraslice_execution_memory_limit", "gauge", "as the job says; nothing is done with it", EXECUTION
    ),
    Family("teraslice_execution_slices", "gauge", "slices in each state", (*EXECUTION, "state")),
    Family(
        "teraslice_execution_slice_run_seconds",
        "histogram",
        "how long tries of slices took, since its controller began",
        EXECUTION,
    ),
    Family(
        "teraslice_execution_slice_wait_seconds",
        "histogram",
        "how long slices waited to be given out first, since its controller began",
        EXECUTION,
    ),
    Family(
        "teraslice_execution_operation_slices",
        "counter",
        "slices an operation did",
        (*EXECUTION, "op", "place"),
    ),
    Family(
        "teraslice_execution_operation_seconds",
        "counter",
        "time an operation took",
        (*EXECUTION, "op", "place"),
    ),
    Family(
        "teraslice_execution_operation_records_in",
        "counter",
        "records an operation got",
        (*EXECUTION, "op", "place"),
    ),
    Family(
        "teraslice_execution_operation_records_out",
        "counter",
        "records an operation gave",
        (*EXECUTION, "op", "place"),
    ),
    Family("teraslice_executions", "gauge", "executions that have not ended, by status", ("name", "status")),
    Family("teraslice_nodes", "gauge", "worker daemons, by state", ("name", "state")),
    Family("teraslice_worker_slots", "gauge", "slots for workers on connected nodes", CLUSTER),
    Family("teraslice_worker_slots_available", "gauge", "of these: free", CLUSTER),
    Family("teraslice_store_trouble", "gauge", "1 while the state store cannot be written", CLUSTER),
)

CONTROLLER_FAMILIES: Final = (
    Family(
        "teraslice_job_execution_controller_info",
        "gauge",
        "1; what the controller is",
        (*JOB, "generation", "version"),
    ),
    Family("teraslice_job_slices_processed", "gauge", "slices that ended", JOB),
    Family("teraslice_job_slices_failed", "gauge", "of these: in error", JOB),
    Family("teraslice_job_slices_queued", "gauge", "slices made and not given out now", JOB),
    Family("teraslice_job_workers_active", "gauge", "workers with a slice in hand", JOB),
    Family("teraslice_job_workers_available", "gauge", "workers without one", JOB),
    Family(
        "teraslice_job_slice_run_seconds",
        "histogram",
        "how long tries of slices took, since this process began",
        JOB,
    ),
    Family(
        "teraslice_job_slice_wait_seconds",
        "histogram",
        "how long slices waited to be given out first, since this process began",
        JOB,
    ),
)
