"""Option schemas: what an operation can be told in a job.

An operation declares its options as a nested `class Options(OperationOptions)` with annotated fields.  They
are checked when a job is submitted and again when a worker starts, so an operation that runs can trust
them.  An operation without a schema takes any options.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from sliceworks.protocol.errors import Fault


class OperationOptions(BaseModel):
    """Base of all schemas; options that no field names are kept, as attributes."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)

    def check(self, job: Mapping[str, Any]) -> Iterable[Fault]:
        """Faults that the types of fields cannot express, found when a job is submitted.

        Each `Fault` has the option's name as its path.  `job` is the job with its defaults; it may
        have faults of its own.  Runs where jobs are checked, not in workers; it may look at files.
        """
        return ()


class StrictOptions(OperationOptions):
    """A schema that refuses options it does not know, as all built-in operations do."""

    model_config = ConfigDict(extra="forbid")
