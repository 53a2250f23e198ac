"""Spans of time as people write them: integers are milliseconds, texts carry their unit."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_UNITS_MS = {
    "ms": 1, "millisecond": 1, "milliseconds": 1,
    "s": 1_000, "sec": 1_000, "second": 1_000, "seconds": 1_000,
    "m": 60_000, "min": 60_000, "minute": 60_000, "minutes": 60_000,
    "h": 3_600_000, "hour": 3_600_000, "hours": 3_600_000,
    "d": 86_400_000, "day": 86_400_000, "days": 86_400_000,
}  # fmt: skip
_PATTERN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", re.IGNORECASE)


def duration_ms(value: int | str) -> int:
    """Milliseconds of `250`, `"250"`, `"30s"`, `"5 minutes"`; ValueError says what is accepted."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _PATTERN.fullmatch(value) if isinstance(value, str) else None
    unit = _UNITS_MS.get(match[2].lower() or "ms") if match else None
    if match is None or unit is None:
        message = (
            f'must be a whole number of milliseconds or a text such as "30s" or "5 minutes", got {value!r}'
        )
        raise ValueError(message)
    return round(float(match[1]) * unit)


def _parse(value: Any) -> Any:
    return duration_ms(value)


DURATION = BeforeValidator(_parse)
"""What marks a pydantic field as a duration."""

DurationMs = Annotated[int, DURATION, Field(ge=0)]
"""A pydantic field type: milliseconds as int, written as a number or a text with a unit."""


def duration_text(milliseconds: int) -> str:
    """The shortest text that `duration_ms` reads back: `5m`, `1500ms`."""
    if milliseconds == 0:
        return "0"
    for unit in ("d", "h", "m", "s"):
        if milliseconds % _UNITS_MS[unit] == 0:
            return f"{milliseconds // _UNITS_MS[unit]}{unit}"
    return f"{milliseconds}ms"
