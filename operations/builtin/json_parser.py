"""Parses JSON text that records hold."""

from __future__ import annotations

from typing import Any

import orjson
from pydantic import Field

from sliceworks.operations.options import StrictOptions
from sliceworks.operations.payload import RAW_FIELD
from sliceworks.operations.processors import BatchProcessor
from sliceworks.operations.record import Record, RecordBatch, Records, metadata_of


class JsonParser(BatchProcessor):
    """Makes records of JSON text, such as lines that `file_reader` read in the format `raw`.

    The object that the text stands for takes the place of the record, and keeps its metadata.  Text that
    is no JSON object is a bad record: `_dead_letter_action` says what becomes of it.
    """

    class Options(StrictOptions):
        """Where the text is."""

        field: str = Field(default=RAW_FIELD, min_length=1)
        """The field that holds the text."""

    op_config: Options
    keeps_batches = True

    def on_batch(self, records: Records) -> Records:
        """The parsed records."""
        field, loads = self.op_config.field, orjson.loads
        try:
            parsed = [loads(record[field]) for record in records]
        except (KeyError, TypeError, orjson.JSONDecodeError):
            return self._one_by_one(records)
        if set(map(type, parsed)) - {dict}:
            return self._one_by_one(records)
        if isinstance(records, RecordBatch):
            return records.replaced(parsed)
        return [self._entity(records, place, value) for place, value in enumerate(parsed)]
