"""Structured logs on stderr: JSON lines for journald and pipes, columns on a terminal.

An event is a short constant and its fields; who speaks (`role`, `ex_id`, ...) is bound once.  A log call
never raises and never stops the work: a reader of stderr that is gone only loses the lines.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import MutableMapping
from typing import Any, Final, Literal, TextIO, TypeAlias

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

Level: TypeAlias = Literal["trace", "debug", "info", "warn", "error", "fatal"]
Style: TypeAlias = Literal["auto", "json", "console"]

_LEVELS: Final[dict[Level, int]] = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
}
_LEVEL_NAMES: Final = {"warning": "warn", "critical": "fatal", "exception": "error"}
_PRIORITIES: Final = {"debug": 7, "info": 6, "warn": 4, "error": 3, "fatal": 2}  # the journal's


def configure_logging(
    *, level: Level, style: Style = "auto", stream: TextIO | None = None, **bound: object
) -> None:
    """Send all logs of this process to `stream` (stderr) from `level` up, with `bound` in each line.

    Those of the standard library's `logging` too: asyncio and aiohttp write there.  Call it again to change.
    """
    _Logger.filter_at(level)
    out = stream or sys.stderr
    as_json = style == "json" or (style == "auto" and not out.isatty())
    shared = _shared(bound)
    ends = _json_ends(out) if as_json else _console_ends(colors=out.isatty())
    structlog.configure(
        processors=[*shared, *ends],
        wrapper_class=_Logger,
        logger_factory=lambda *_: _Lines(out),
        cache_logger_on_first_use=False,
    )
    _adopt_standard_logging(
        _LEVELS[level],
        out,
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ends],
        ),
    )


def level_of(name: str, default: Level) -> Level:
    """The level of this name, as a peer sent it; "" means the default."""
    return next((level for level in _LEVELS if level == name), default)


def change_level(level: Level) -> None:
    """Log from this level on; loggers that were bound before, authors' own too, follow."""
    _Logger.filter_at(level)
    _set_standard_level(_LEVELS[level])


class _Logger(structlog.make_filtering_bound_logger(logging.INFO)):  # type: ignore[misc] # made by a function
    """Every logger of this process: what is below the level costs next to nothing."""

    @classmethod
    def filter_at(cls, level: Level) -> None:
        """Let all of them, wherever they are kept, do what structlog's own class for this level does."""
        cls.__bases__ = (structlog.make_filtering_bound_logger(_LEVELS[level]),)


class _Lines:
    """Writes finished lines."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def msg(self, line: str) -> None:
        """Write one; a closed stream loses it."""
        with contextlib.suppress(OSError, ValueError):
            self._out.write(line + "\n")
            self._out.flush()

    debug = info = warning = error = critical = exception = msg


def _shared(bound: dict[str, object]) -> list[Processor]:
    def add_bound(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        return {**bound, **event}

    return [add_bound, _add_level, structlog.processors.TimeStamper(fmt="iso", utc=True, key="time")]


def _add_level(_: WrappedLogger, method: str, event: EventDict) -> EventDict:
    event["level"] = _LEVEL_NAMES.get(method, method)
    return event


def _json_ends(out: TextIO) -> list[Processor]:
    render = _render_for_journal if _is_journal(out) else _render_json
    return [structlog.processors.format_exc_info, render]


def _console_ends(*, colors: bool) -> list[Processor]:
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain, timestamp_key="time")]


def _render_json(_: WrappedLogger, __: str, event: MutableMapping[str, Any]) -> str:
    first = {key: event.pop(key) for key in ("time", "level", "event") if key in event}
    return orjson.dumps({**first, **event}, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()


def _render_for_journal(logger: WrappedLogger, name: str, event: MutableMapping[str, Any]) -> str:
    """The journal takes the priority from the beginning of the line: `journalctl -p warning` works."""
    priority = _PRIORITIES.get(event.get("level", ""), _PRIORITIES["info"])
    return f"<{priority}>{_render_json(logger, name, event)}"


def _is_journal(out: TextIO) -> bool:
    try:
        stream = os.fstat(out.fileno())
    except (OSError, ValueError):  # it is no file
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{stream.st_dev}:{stream.st_ino}"


def _adopt_standard_logging(level: int, out: TextIO, formatter: logging.Formatter) -> None:
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    logging.raiseExceptions = False
    logging.basicConfig(handlers=[handler], force=True)
    _set_standard_level(level)


def _set_standard_level(level: int) -> None:
    logging.getLogger().setLevel(level)
    logging.getLogger("aiohttp.access").setLevel(max(level, logging.WARNING))
