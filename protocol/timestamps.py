"""Moments as documents carry them: ISO 8601, UTC, milliseconds, `Z`."""

from __future__ import annotations

from datetime import UTC, datetime


def iso_from_ms(wall_ms: int) -> str:
    """`2026-11-21T21:13:26.659Z` for milliseconds since the epoch."""
    seconds, milliseconds = divmod(wall_ms, 1000)
    moment = datetime.fromtimestamp(seconds, UTC).isoformat()  # a third of the time that a format takes
    return f"{moment[:19]}.{milliseconds:03}Z"
