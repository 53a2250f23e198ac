"""Parses JSON text that records hold."""

from __future__ import annotations

from typing import Any

import orjson
from pydantic import Field

from sliceworks.operations.options import StrictOptions
from sliceworks.operations.payload import RAW_FIELD
from sliceworks.operations.processors import BatchProcessor
from sliceworks.operations.record import Record, Records, replaced


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
    makes_cycles = False

    def on_batch(self, records: Records) -> Records:
        """The parsed records."""
        field, loads = self.op_config.field, orjson.loads
        try:
            parsed = [loads(record[field]) for record in records]
        except (KeyError, TypeError, orjson.JSONDecodeError):
            return self._one_by_one(records)
        if set(map(type, parsed)) - {dict}:
            return self._one_by_one(records)
        return replaced(records, parsed, range(len(parsed)))

    def _one_by_one(self, records: Records) -> Records:
        """The slow way: for records without the text, or with text that is no JSON object."""
        parsed: list[Record] = []
        places: list[int] = []
        for place, record in enumerate(records):
            try:
                parsed.append(self._parse(record))
                places.append(place)
            except Exception as error:  # noqa: BLE001 - no dict, perhaps: the job says what becomes of it
                self.reject_record(record, error)
        return replaced(records, parsed, places)

    def _parse(self, record: Any) -> Record:
        field = self.op_config.field
        if not isinstance(record, dict) or not isinstance(record.get(field), str | bytes):
            message = f"there is no text in the field {field}"
            raise TypeError(message)
        value = orjson.loads(record[field])
        if not isinstance(value, dict):
            message = f"the text in {field} is no JSON object but {type(value).__name__}"
            raise TypeError(message)
        return value
