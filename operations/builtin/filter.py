"""Passes on the records whose field has a value, or matches a regular expression."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import field_validator

from sliceworks.operations.base import OperationSetup
from sliceworks.operations.options import StrictOptions
from sliceworks.operations.processors import FilterProcessor
from sliceworks.operations.record import Record, Records, select
from sliceworks.protocol.errors import Fault


class Filter(FilterProcessor):
    """Passes on the records whose field has a value, or matches a regular expression.

    A record without the field, or with null there, does not match.
    """

    class Options(StrictOptions):
        """Exactly one of `value` and `regex` is given."""

        field: str
        """The field to look at."""
        value: str | int | float | bool | None = None
        """What the field must be equal to."""
        regex: str | None = None
        """A Python regular expression that must be found somewhere in the field's text."""
        invert: bool = False
        """Pass on the records that do not match instead."""

        @field_validator("regex")
        @classmethod
        def _compiles(cls, value: str | None) -> str | None:
            try:
                re.compile(value or "")
            except (re.error, OverflowError, RecursionError) as error:
                message = f"is not a regular expression: {error}"
                raise ValueError(message) from error
            return value

        def check(self, job: Mapping[str, Any]) -> Iterable[Fault]:
            """`value` or `regex`, not both, not neither."""
            if (self.value is None) == (self.regex is None):
                yield Fault("regex", "exactly one of value and regex must be given")

    op_config: Options
    keeps_batches = True
    makes_cycles = False

    def __init__(self, setup: OperationSetup) -> None:
        super().__init__(setup)
        options = self.op_config
        self._field, self._invert = options.field, options.invert
        self._matches = _equals(options.value) if options.regex is None else re.compile(options.regex).search

    def filter(self, record: Record) -> bool:
        """Whether the record goes on."""
        value = record.get(self._field)
        if value is None:
            return self._invert
        text = value if isinstance(value, str) or self.op_config.regex is None else str(value)
        return bool(self._matches(text)) != self._invert

    def on_batch(self, records: Records) -> Records:
        """The records that go on; their metadata stay with them."""
        field, matches, value = self._field, self._matches, self.op_config.value
        try:
            if self.op_config.regex is None:
                chosen = [record[field] == value for record in records]
            else:
                chosen = [matches(record[field]) is not None for record in records]
            wanted = not self._invert
            places = [place for place, is_chosen in enumerate(chosen) if is_chosen is wanted]
        except (KeyError, TypeError, AttributeError):
            places = self._places_one_by_one(records)
        return select(records, places)

    def _places_one_by_one(self, records: Records) -> list[int]:
        """The slow way: for records that lack the field, have something else than text there, or are none."""
        places = []
        for i, record in enumerate(records):
            try:
                if self.filter(record):
                    places.append(i)
            except Exception as error:  # noqa: BLE001 - no dict, perhaps: the job says what becomes of it
                self.reject_record(record, error)
        return places


def _equals(wanted: Any) -> Callable[[Any], bool]:
    return lambda value: value == wanted
