"""Passes records through, after a pause."""

from __future__ import annotations

import time

from pydantic import Field

from sliceworks.operations.options import StrictOptions
from sliceworks.operations.processors import BatchProcessor
from sliceworks.operations.record import Records
from sliceworks.protocol.durations import DurationMs


class Delay(BatchProcessor):
    """Passes records through, after a pause; once for each slice."""

    class Options(StrictOptions):
        """How long."""

        ms: DurationMs = Field(default=100)
        """The pause: milliseconds, or a text such as `"2s"`."""

    op_config: Options
    keeps_batches = True
    makes_cycles = False

    def on_batch(self, records: Records) -> Records:
        """The records, later.  It blocks its worker, which runs one slice at a time anyway."""
        time.sleep(self.op_config.ms / 1000)
        return records
