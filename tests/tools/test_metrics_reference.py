"""The tables of `docs/monitoring.md` are what the code shows."""

from __future__ import annotations

import re

from sliceworks.master.metrics.families import CONTROLLER_FAMILIES, MASTER_FAMILIES
from sliceworks.worker.figures import WORKER_FAMILIES
from tools.generated import is_current
from tools.metrics_reference import PAGE, page
from tools.tree import ROOT

NO_FIGURES = {"teraslice_job_", "teraslice_controller_process_", "teraslice_version"}


def test_the_page_is_current() -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    assert is_current(ROOT / PAGE, page(text))


def test_alerts_and_examples_name_figures_that_exist() -> None:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    families = (*MASTER_FAMILIES, *CONTROLLER_FAMILIES, *WORKER_FAMILIES)
    shown = {family.shown for family in families}
    shown |= {
        f"{f.name}_{part}" for f in families if f.kind == "histogram" for part in ("bucket", "sum", "count")
    }
    named = set(re.findall(r"teraslice_\w+", text)) - NO_FIGURES
    assert named <= shown
    assert len({family.name for family in families}) == len(families) - len(_SHARED)


_SHARED = {"teraslice_job_slices_processed", "teraslice_job_slice_run_seconds"}  # by controllers and workers
