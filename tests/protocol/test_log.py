"""Lines that machines read, columns that people read, and no log call that ever fails."""

from __future__ import annotations

import io
import json
import logging
import os
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog

from sliceworks.protocol.log import change_level, configure_logging, level_of

log = structlog.get_logger("test")


@pytest.fixture(autouse=True)
def _leave_no_trace() -> Iterator[None]:
    root, access = logging.getLogger(), logging.getLogger("aiohttp.access")
    handlers, level, raising = root.handlers[:], root.level, logging.raiseExceptions
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
    access.setLevel(logging.NOTSET)
    logging.raiseExceptions = raising


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_has_time_level_event_fields_and_what_was_bound() -> None:
    stream = io.StringIO()
    configure_logging(level="info", stream=stream, role="master", ex_id="outer")
    before = datetime.now(UTC)
    log.info("started", port=5678, ex_id="inner")
    (line,) = lines(stream)
    time = datetime.fromisoformat(line.pop("time"))
    assert before <= time <= datetime.now(UTC)
    assert line == {"level": "info", "event": "started", "role": "master", "port": 5678, "ex_id": "inner"}
    assert list(json.loads(stream.getvalue()))[:3] == ["time", "level", "event"]


def test_levels_have_the_names_of_the_settings() -> None:
    stream = io.StringIO()
    configure_logging(level="trace", stream=stream)
    for method in (log.debug, log.info, log.warning, log.warn, log.error, log.critical, log.fatal):
        method("x")
    assert [line["level"] for line in lines(stream)] == [
        "debug",
        "info",
        "warn",
        "warn",
        "error",
        "fatal",
        "fatal",
    ]


@pytest.mark.parametrize(
    ("level", "count"), [("debug", 4), ("info", 3), ("warn", 2), ("error", 1), ("fatal", 0)]
)
def test_what_is_below_the_level_is_not_written(level: Any, count: int) -> None:
    stream = io.StringIO()
    configure_logging(level=level, stream=stream)
    log.debug("x")
    log.info("x")
    log.warning("x")
    log.error("x")
    assert len(lines(stream)) == count


def test_a_level_can_be_changed_later_also_for_loggers_in_use() -> None:
    stream = io.StringIO()
    configure_logging(level="error", stream=stream)
    log.info("hidden")
    configure_logging(level="info", stream=stream)
    log.info("shown")
    assert [line["event"] for line in lines(stream)] == ["shown"]


def test_a_traceback_is_a_field() -> None:
    stream = io.StringIO()
    configure_logging(level="info", stream=stream)
    try:
        raise ValueError("bad")
    except ValueError:
        log.exception("failed")
    (line,) = lines(stream)
    assert line["level"] == "error"
    assert "ValueError: bad" in line["exception"]


def test_any_value_can_be_a_field() -> None:
    stream = io.StringIO()
    configure_logging(level="info", stream=stream)
    some_id = uuid.uuid4()
    log.info("x", id=some_id, raw=b"\xff", numbers={1: {2}}, error=ValueError("v"))
    (line,) = lines(stream)
    assert line["id"] == str(some_id)
    assert line["raw"] == "b'\\xff'"
    assert line["error"] == "ValueError('v')"


def test_the_standard_library_logs_there_too() -> None:
    stream = io.StringIO()
    configure_logging(level="info", stream=stream, role="worker")
    logging.getLogger("asyncio").error("a task of %s failed", "mine")
    logging.getLogger("asyncio").debug("hidden")
    logging.getLogger("aiohttp.access").info("hidden")
    (line,) = lines(stream)
    assert (line["level"], line["event"], line["role"]) == ("error", "a task of mine failed", "worker")


def test_a_terminal_gets_columns() -> None:
    stream = Terminal()
    configure_logging(level="info", stream=stream)
    log.info("started", port=5678)
    assert "started" in stream.getvalue()
    assert not stream.getvalue().startswith("{")
    assert "\x1b[" in stream.getvalue()


def test_the_style_can_be_chosen() -> None:
    terminal, pipe = Terminal(), io.StringIO()
    configure_logging(level="info", style="json", stream=terminal)
    log.info("x")
    assert lines(terminal)[0]["event"] == "x"
    configure_logging(level="info", style="console", stream=pipe)
    log.info("x")
    logging.getLogger("asyncio").error("y")
    assert not pipe.getvalue().startswith("{")
    assert "\x1b[" not in pipe.getvalue()


def test_a_stream_that_is_gone_only_loses_lines() -> None:
    stream = io.StringIO()
    configure_logging(level="info", stream=stream)
    stream.close()
    log.info("x")
    logging.getLogger("asyncio").error("y")


def test_the_journal_gets_priorities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "journal").open("w+") as stream:
        seen = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{seen.st_dev}:{seen.st_ino}")
        configure_logging(level="info", stream=stream)
        log.info("started")
        log.warning("slow")
        log.error("broken")
    texts = (tmp_path / "journal").read_text().splitlines()
    assert [text[:3] for text in texts] == ["<6>", "<4>", "<3>"]
    assert [json.loads(text[3:])["event"] for text in texts] == ["started", "slow", "broken"]


def test_a_stream_that_only_inherits_the_variable_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "1:2")
    stream = io.StringIO()
    configure_logging(level="info", stream=stream)
    log.info("started")
    assert lines(stream)[0]["event"] == "started"


def test_a_changed_level_counts_for_loggers_that_are_kept() -> None:
    stream = io.StringIO()
    configure_logging(level="info", stream=stream)
    kept = structlog.get_logger().bind(op="noop")
    kept.debug("too_early")
    change_level("debug")
    kept.debug("now")
    logging.getLogger("library").debug("too")
    change_level("error")
    kept.warning("too_late")
    logging.getLogger("library").warning("too late")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["now", "too"]


def test_a_level_by_its_name() -> None:
    assert [level_of(name, "info") for name in ("debug", "", "loud")] == ["debug", "info", "info"]
