"""Stores that cannot be used for a while: locked, on a full disk, on a server that is away.

The store of the cluster, the stores of the executions, or all of them; with or without being readable
meanwhile (a full disk is, a server that is away is not).
"""

from __future__ import annotations

from enum import Flag, auto

from tests.simulation.engine import Engine


class Where(Flag):
    """Which stores."""

    CLUSTER = auto()
    EXECUTIONS = auto()


class StoreTrouble:
    """The trouble that is now, if any; a new one replaces the one before."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._until = 0
        self._where = Where.CLUSTER
        self._blind = False

    def begin(self, duration_ms: int) -> None:
        """From now on; where and how is drawn."""
        self._until = self._engine.now + duration_ms
        self._where = Where(self._engine.draw(1, 3))
        self._blind = self._engine.chance(0.5)

    def end(self) -> None:
        """All is well."""
        self._until = 0

    def forbids_writing(self, where: Where) -> bool:
        """Nothing can be written there now."""
        return self._engine.now < self._until and bool(where & self._where)

    def forbids_reading(self, where: Where) -> bool:
        """Nor can anything be read."""
        return self._blind and self.forbids_writing(where)
