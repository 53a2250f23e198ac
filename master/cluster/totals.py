"""The cluster's sums: what each execution did beyond what is counted of it already.

A report is cumulative over all lives of its controller, so that counting the difference, and saving it
together with what was counted, neither loses nor repeats anything whoever crashes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import structs

from sliceworks.master.cluster.core import Core
from sliceworks.master.cluster.model import Execution
from sliceworks.master.store.records import Totals
from sliceworks.protocol.messages import Statistics

_FIELDS: Final = tuple(Totals.__dataclass_fields__)


def count_totals(core: Core, execution: Execution) -> None:
    """Add what the newest report has and the totals do not."""
    execution.totals_due_ms = None
    if execution.report is None:
        return
    counted = execution.row.counted
    core.set_totals(_sum([core.totals, _difference(execution.report.statistics, counted)]))
    core.change(execution, counted=_highest(execution.report.statistics, counted))


def totals_now(core: Core) -> tuple[Totals, int]:
    """The sums including what is not counted yet, and the slices queued now."""
    living = [execution for execution in core.executions.values() if execution.report]
    open_sums = [_difference(item.report.statistics, item.row.counted) for item in living if item.report]
    queued = sum(item.report.statistics.queued for item in living if item.report and not item.is_terminal)
    return _sum([core.totals, *open_sums]), queued


def _difference(new: Statistics, counted: Statistics) -> Totals:
    return Totals(**{name: max(0, getattr(new, name) - getattr(counted, name)) for name in _FIELDS})


def _highest(new: Statistics, counted: Statistics) -> Statistics:
    return structs.replace(
        counted, **{name: max(getattr(new, name), getattr(counted, name)) for name in _FIELDS}
    )


def _sum(items: Iterable[Totals]) -> Totals:
    items = list(items)
    return Totals(**{name: sum(getattr(item, name) for item in items) for name in _FIELDS})
