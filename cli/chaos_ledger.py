"""What was done to the cluster, and how it took it: every kill with its moment, and the recoveries."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from sliceworks.cli.chaos_plan import Kind, wanted_of_each

YOUNG_SECONDS: Final = 1.0
MOMENTS: Final = ("young", "recovering", "paired")
COLUMNS: Final = ("killed", *MOMENTS, "all", "stopped", "longest_recovery_s", "longest_with_hang_s")


@dataclass(slots=True)
class Ledger:
    """Counts by kind."""

    kills: Counter[Kind] = field(default_factory=Counter)
    moments: Counter[tuple[Kind, str]] = field(default_factory=Counter)
    pauses: Counter[Kind] = field(default_factory=Counter)
    longest_seconds: dict[tuple[Kind, bool], float] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All kills."""
        return self.kills.total()

    def killed(self, kind: Kind, *, age_seconds: float, recovering: bool, paired: bool) -> None:
        """One SIGKILL; `recovering`: something killed before was not back yet."""
        self.kills[kind] += 1
        was = {"young": age_seconds < YOUNG_SECONDS, "recovering": recovering, "paired": paired}
        self.moments.update((kind, moment) for moment, is_so in was.items() if is_so)

    def recovered(self, kind: Kind, seconds: float, *, hung: bool) -> None:
        """From a kill until its like was back and work went on; `hung`: something was stopped meanwhile."""
        self.longest_seconds[kind, hung] = max(seconds, self.longest_seconds.get((kind, hung), 0.0))

    def rows(self) -> list[dict[str, Any]]:
        """For the table, one for each kind."""
        return [
            {
                "killed": kind.value,
                **{moment: self.moments[kind, moment] for moment in MOMENTS},
                "all": self.kills[kind],
                "stopped": self.pauses[kind],
                "longest_recovery_s": round(self.longest_seconds.get((kind, False), 0.0), 2),
                "longest_with_hang_s": round(self.longest_seconds.get((kind, True), 0.0), 2),
            }
            for kind in Kind
        ]

    def gaps(self, kills: int) -> dict[Kind, str]:
        """Kinds that were killed too seldom at one of the moments, and at which."""
        wanted = wanted_of_each(kills)
        return {
            kind: f"{kind} {moment}: {self.moments[kind, moment]} of {wanted} kills"
            for kind in Kind
            for moment in MOMENTS
            if self.moments[kind, moment] < wanted
        }
