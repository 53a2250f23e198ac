"""What a figure for Prometheus is: its name, what it says, and what it is labelled with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["gauge", "counter", "histogram"]


@dataclass(frozen=True, slots=True)
class Family:
    """One name; that of a counter is without the `_total` that its figures end with."""

    name: str
    kind: Kind
    about: str
    labels: tuple[str, ...]

    @property
    def shown(self) -> str:
        """The name under which its figures are found."""
        return f"{self.name}_total" if self.kind == "counter" else self.name
