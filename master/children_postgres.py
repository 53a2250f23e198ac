"""What the fork server forks when the state is in PostgreSQL: the same, the driver loaded before the fork.

Its import takes 0.2 s, which every controller would spend at its start.
"""

from __future__ import annotations

from sliceworks.master.children import TARGETS
from sliceworks.master.store import postgres_execution

__all__ = ["TARGETS", "postgres_execution"]
