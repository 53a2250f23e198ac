"""Counts the records of a slice by the values of a field."""

from __future__ import annotations

from collections import Counter

import orjson
from pydantic import Field

from sliceworks.operations.options import StrictOptions
from sliceworks.operations.processors import BatchProcessor
from sliceworks.operations.record import Records


class CountByField(BatchProcessor):
    """Counts the records of a slice by the values of a field.

    What goes on in their place is one record for each different value, `{"<field>": value, "count": n}`, the
    most frequent first.  Records without the field are counted under null.  A slice is counted by itself:
    sums over all slices are for whoever reads the output.
    """

    class Options(StrictOptions):
        """What to count by."""

        field: str = Field(min_length=1)
        """The field."""

    op_config: Options
    keeps_batches = True
    makes_cycles = False

    def on_batch(self, records: Records) -> Records:
        """The counts."""
        field = self.op_config.field
        values = [record.get(field) for record in records]
        if all(type(value) is str for value in values):
            return [{field: value, "count": count} for value, count in Counter(values).most_common()]
        # as text, for lists and objects have no hash, and true and 1 are the same to Python
        texts = Counter(orjson.dumps(value, None, orjson.OPT_SORT_KEYS) for value in values)
        return [{field: orjson.loads(text), "count": count} for text, count in texts.most_common()]
