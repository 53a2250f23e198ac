"""Moments as clients write them: an ISO 8601 text is all the time that it names, `2026-11` a whole month."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

_ISO: Final = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)(?:[T ](?P<hour>\d\d)(?::(?P<minute>\d\d)"
    r"(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?)?)?)?)?"
    r"(?P<zone>Z|[+-]\d\d:?\d\d)?",
    re.ASCII,
)
_NOW: Final = re.compile(r"now((?:[+-]\d{1,6}[smhdw])*)", re.ASCII)
_STEP: Final = re.compile(r"([+-]\d+)([smhdw])", re.ASCII)
_MILLISECONDS: Final = re.compile(r"\d{5,14}", re.ASCII)
_UNIT_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Period:
    """From `start_ms` on, and before `end_ms`."""

    start_ms: int
    end_ms: int


def period_of(text: str, now_ms: int) -> Period | None:
    """What a text names: ISO 8601, milliseconds since the epoch, or `now-1h`; None if it is none of these."""
    if relative := _NOW.fullmatch(text):
        steps = _STEP.findall(relative[1])
        at_ms = now_ms + sum(int(count) * _UNIT_MS[unit] for count, unit in steps)
        return Period(at_ms, at_ms + 1)
    if _MILLISECONDS.fullmatch(text):
        return Period(int(text), int(text) + 1)
    iso = _ISO.fullmatch(text)
    try:
        return _iso_period(iso) if iso else None
    except (ValueError, OverflowError):  # the 31st of February
        return None


def _iso_period(iso: re.Match[str]) -> Period:
    fraction = iso["fraction"]
    start = datetime(
        int(iso["year"]),
        int(iso["month"] or 1),
        int(iso["day"] or 1),
        int(iso["hour"] or 0),
        int(iso["minute"] or 0),
        int(iso["second"] or 0),
        int((fraction or "0").ljust(9, "0")[:6]),
        tzinfo=_zone(iso["zone"]),
    )
    return Period(_ms(start), _ms(_end(start, iso)))


def _end(start: datetime, iso: re.Match[str]) -> datetime:
    """Where the next year, month, day ... begins."""
    if iso["month"] is None:
        return start.replace(year=start.year + 1)
    if iso["day"] is None:
        return (start + timedelta(days=31)).replace(day=1)
    for part, unit in (("hour", "days"), ("minute", "hours"), ("second", "minutes"), ("fraction", "seconds")):
        if iso[part] is None:
            return start + timedelta(**{unit: 1})
    return start + timedelta(milliseconds=1)


def _zone(text: str | None) -> timezone:
    if text in (None, "Z"):
        return UTC
    digits = str(text)[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if str(text).startswith("-") else offset)


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)
