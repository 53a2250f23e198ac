"""Removes fields from each record."""

from __future__ import annotations

from pydantic import Field

from sliceworks.operations.options import StrictOptions
from sliceworks.operations.processors import BatchProcessor
from sliceworks.operations.record import Records


class DropField(BatchProcessor):
    """Removes a field, or several, from each record that has it."""

    class Options(StrictOptions):
        """What to remove."""

        field: str | list[str] = Field(min_length=1)
        """The field, or a list of fields."""

    op_config: Options
    keeps_batches = True
    makes_cycles = False

    def on_batch(self, records: Records) -> Records:
        """The records, changed."""
        field = self.op_config.field
        for name in [field] if isinstance(field, str) else field:
            for record in records:
                record.pop(name, None)
        return records
