"""Sets a field of each record."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from sliceworks.operations.options import StrictOptions
from sliceworks.operations.processors import BatchProcessor
from sliceworks.operations.record import Records


class SetField(BatchProcessor):
    """Sets a field of each record to a value, whether it was there or not."""

    class Options(StrictOptions):
        """What to set."""

        field: str = Field(min_length=1)
        """The field."""
        value: Any
        """Any JSON value."""

    op_config: Options
    keeps_batches = True
    makes_cycles = False

    def on_batch(self, records: Records) -> Records:
        """The records, changed; a list or an object as value is one that they all share."""
        field, value = self.op_config.field, self.op_config.value
        for record in records:
            record[field] = value
        return records
