"""Passes records through."""

from __future__ import annotations

from sliceworks.operations.options import StrictOptions
from sliceworks.operations.processors import BatchProcessor
from sliceworks.operations.record import Records


class Noop(BatchProcessor):
    """Passes records through."""

    class Options(StrictOptions):
        """None."""

    keeps_batches = True
    makes_cycles = False

    def on_batch(self, records: Records) -> Records:
        """The records."""
        return records
