"""Spans of time as people write them: integers are milliseconds, texts carry their unit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema

_UNITS_MS = {
    "ms": 1, "millisecond": 1, "milliseconds": 1,
    "s": 1_000, "sec": 1_000, "second": 1_000, "seconds": 1_000,
    "m": 60_000, "min": 60_000, "minute": 60_000, "minutes": 60_000,
    "h": 3_600_000, "hour": 3_600_000, "hours": 3_600_000,
    "d": 86_400_000, "day": 86_400_000, "days": 86_400_000,
}  # fmt: skip
_LONGEST_MS = 100 * 365 * _UNITS_MS["d"]
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


@dataclass(frozen=True, slots=True)
class AlsoText:
    """Marks a pydantic number that may also be sent as text; only its JSON schema is touched."""

    pattern: str
    about: str

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The schema of the number, or of the text where it may be sent."""
        number = handler(core)
        if handler.mode == "serialization":
            return number
        return {"anyOf": [number, {"type": "string", "pattern": self.pattern, "description": self.about}]}


DURATION = BeforeValidator(_parse)
"""What marks a pydantic field as a duration."""

DurationMs = Annotated[
    int,
    Field(ge=0, le=_LONGEST_MS),
    DURATION,
    AlsoText(r"^\s*\d+(\.\d+)?\s*[A-Za-z]*\s*$", "such as `30s` or `5 minutes`; a number is milliseconds"),
]
"""A pydantic field type: milliseconds as int, written as a number or a text with a unit."""


def duration_text(milliseconds: int) -> str:
    """The shortest text that `duration_ms` reads back: `5m`, `1500ms`."""
    if milliseconds == 0:
        return "0"
    for unit in ("d", "h", "m", "s"):
        if milliseconds % _UNITS_MS[unit] == 0:
            return f"{milliseconds // _UNITS_MS[unit]}{unit}"
    return f"{milliseconds}ms"
