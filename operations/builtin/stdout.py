"""Writes records to the standard output of the worker, and passes them on."""

from __future__ import annotations

import sys

import orjson
from pydantic import Field

from sliceworks.operations.options import StrictOptions
from sliceworks.operations.processors import BatchProcessor
from sliceworks.operations.record import Records


class Stdout(BatchProcessor):
    """Writes records to the standard output of the worker, as JSON, one a line, and passes them on.

    That is the terminal of `sliceworks dev` and `sliceworks run`, and the journal of a daemon that systemd
    runs.  What is no JSON value is written as Python shows it.
    """

    class Options(StrictOptions):
        """How many."""

        limit: int = Field(default=0, ge=0)
        """The first so many records of each slice; 0: all."""

    op_config: Options
    keeps_batches = True
    makes_cycles = False

    def on_batch(self, records: Records) -> Records:
        """The records, once they are written."""
        shown = records[: self.op_config.limit] if self.op_config.limit else records
        if shown:
            lines = [orjson.dumps(record, default=repr, option=_OPTIONS).decode() for record in shown]
            sys.stdout.write("".join(lines))
            sys.stdout.flush()
        return records


_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS
