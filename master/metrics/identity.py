"""Who a controller is, for its figures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ControllerInfo:
    """Which controller it is."""

    ex_id: str
    job_id: str
    job_name: str
    generation: int
