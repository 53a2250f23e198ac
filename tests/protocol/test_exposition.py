"""What a scraper gets, in either format."""

from __future__ import annotations

import subprocess
import sys

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_plain

from sliceworks.protocol.exposition import Sheet, own_process, wants_openmetrics
from sliceworks.protocol.families import Family
from sliceworks.protocol.messages import Histogram

FAMILIES = (
    Family("a_gauge", "gauge", "one", ("x",)),
    Family("a_count", "counter", "two\nlines and a \\", ("x",)),
    Family("a_time_seconds", "histogram", "three", ("x",)),
    Family("a_gauge_nobody_has", "gauge", "four", ()),
)


def filled() -> Sheet:
    sheet = Sheet(FAMILIES)
    for x in ("1", 'q"\\\n'):
        sheet.put("a_gauge", [x], -1.5)
        sheet.put("a_count", [x], 7)
        sheet.put_histogram(
            "a_time_seconds", [x], Histogram([1, 2], 3, 4_000), bounds=(5, 50), per_second=1_000
        )
    sheet.put_histogram("a_time_seconds", ["none"], Histogram(), bounds=(5, 50), per_second=1_000)
    return sheet


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text"])
def test_both_formats_say_the_same(accept: str) -> None:
    body, media = filled().encoded(accept)
    parse = parse_openmetrics if accept else parse_plain
    families = {family.name: family for family in parse(body.decode())}
    assert {name: family.type for name, family in families.items()} == {
        "a_gauge": "gauge",
        "a_count": "counter",
        "a_time_seconds": "histogram",
    }
    values = {
        (s.name, s.labels["x"], s.labels.get("le")): s.value for f in families.values() for s in f.samples
    }
    assert values["a_gauge", 'q"\\\n', None] == -1.5
    assert values["a_count_total", "1", None] == 7
    assert [values["a_time_seconds_bucket", "1", le] for le in ("0.005", "0.05", "+Inf")] == [1, 2, 3]
    assert (values["a_time_seconds_sum", "1", None], values["a_time_seconds_count", "1", None]) == (4, 3)
    assert values["a_time_seconds_count", "none", None] == 0
    assert body.endswith(b"# EOF\n") == bool(accept)
    assert media.startswith(
        "application/openmetrics-text; version=1.0.0" if accept else "text/plain; version=0.0.4"
    )


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("application/openmetrics-text", True),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2", True),
        ("text/plain, Application/OpenMetrics-Text; version=nonsense", True),
        ("*/*", False),
        ("", False),
        ("application/openmetrics", False),
    ],
)
def test_who_wants_openmetrics(accept: str, wanted: bool) -> None:
    assert wants_openmetrics(accept) is wanted


def test_processes_side_by_side() -> None:
    sheet = Sheet(())
    own_process(sheet)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        sheet.put_process("a_child", {"x": "1"}, child.pid)
        sheet.put_process("a_child", {"x": "2"}, child.pid)
        child.communicate(b"\n")
    sheet.put_process("a_child", {"x": "gone"}, child.pid)
    body, _ = sheet.encoded("application/openmetrics-text")
    found = {
        (sample.name, sample.labels.get("x", ""))
        for family in parse_openmetrics(body.decode())  # type: ignore[no-untyped-call]  # as shipped
        for sample in family.samples
    }
    for name in ("cpu_seconds_total", "resident_memory_bytes", "open_fds"):
        assert {
            (f"process_{name}", ""),
            (f"a_child_process_{name}", "1"),
            (f"a_child_process_{name}", "2"),
        } <= found
    assert not [x for _, x in found if x == "gone"]
