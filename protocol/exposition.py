"""Figures for Prometheus: what there is, filled in, and written as text.

Importing this takes a moment, and a process that nobody scrapes never needs it: import it when first asked.
Labels keep the order that their family names them in.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from prometheus_client import ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.samples import Sample

from sliceworks.protocol.families import Family
from sliceworks.protocol.messages import Histogram

OPENMETRICS: Final = "application/openmetrics-text"
OPENMETRICS_TYPE: Final = f"{OPENMETRICS}; version=1.0.0; charset=utf-8"

_Made = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily


class Sheet:
    """Figures of some families, on their way to a scraper; a family without a figure is left out."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = {family.name: family for family in families}
        self._made: dict[str, _Made] = {}
        self._processes: dict[str, Metric] = {}

    def put(self, name: str, labels: Sequence[str], value: float) -> None:
        """One figure."""
        made = self._made_for(name)
        if isinstance(made, HistogramMetricFamily):
            raise TypeError(name)
        made.add_metric(labels, value)

    def put_histogram(
        self,
        name: str,
        labels: Sequence[str],
        histogram: Histogram,
        *,
        bounds: Sequence[int],
        per_second: int,
    ) -> None:
        """One histogram, in seconds; `per_second` units of what was counted are one."""
        made = self._made_for(name)
        if not isinstance(made, HistogramMetricFamily):
            raise TypeError(name)
        counts = histogram.counts or [0] * len(bounds)
        buckets = [
            (_number(bound / per_second), float(count)) for bound, count in zip(bounds, counts, strict=True)
        ]
        made.add_metric(labels, [*buckets, ("+Inf", histogram.number)], histogram.total / per_second)

    def put_process(self, namespace: str, labels: Mapping[str, str], pid: int) -> None:
        """CPU, memory and open files of a process of this host; nothing of one that is gone."""
        collector = ProcessCollector(namespace=namespace, pid=lambda: pid, registry=None)
        for metric in collector.collect():
            kept = self._processes.setdefault(
                metric.name, Metric(metric.name, metric.documentation, metric.type)
            )
            kept.samples += [
                Sample(item.name, {**item.labels, **labels}, item.value) for item in metric.samples
            ]

    def collect(self) -> Iterator[Metric]:
        """All families that have figures."""
        yield from self._made.values()
        yield from self._processes.values()

    def encoded(self, accept: str) -> tuple[bytes, str]:
        """The text and its content type: OpenMetrics for those who ask for it."""
        if wants_openmetrics(accept):
            return openmetrics.generate_latest(self), OPENMETRICS_TYPE  # type: ignore[no-untyped-call]
        return generate_latest(self), CONTENT_TYPE_PLAIN_0_0_4

    def _made_for(self, name: str) -> _Made:
        if name not in self._made:
            self._made[name] = _empty(self._families[name])
        return self._made[name]


def wants_openmetrics(accept: str) -> bool:
    """Whether an Accept header names it, with any parameters."""
    return any(part.partition(";")[0].strip().lower() == OPENMETRICS for part in accept.split(","))


def own_process(sheet: Sheet) -> None:
    """The usual figures of this process, under their usual names."""
    sheet.put_process("", {}, os.getpid())


def _empty(family: Family) -> _Made:
    kinds = {
        "counter": CounterMetricFamily,
        "gauge": GaugeMetricFamily,
        "histogram": HistogramMetricFamily,
    }
    made: _Made = kinds[family.kind](family.name, family.about, labels=family.labels)
    return made


def _number(value: float) -> str:
    """As Prometheus writes bounds: 1.0, 0.005."""
    return str(float(value))
