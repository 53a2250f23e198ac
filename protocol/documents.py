"""Job and execution documents: what a client posts, and what a controller and its workers are started with.

A stored job is the client's own JSON, kept as posted; `JobSpec` is that job checked, with every default
filled in, and is what an execution document is made from.  Unknown fields are kept: clients of other systems
send some.
"""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from sliceworks.protocol.durations import AlsoText, DurationMs

NonEmpty = Annotated[str, StringConstraints(min_length=1, max_length=500)]
LogLevel = Literal["trace", "debug", "info", "warn", "error", "fatal"]


def _no_bool(value: Any) -> Any:
    """A bool is no number here, though Python takes it for one."""
    if isinstance(value, bool):
        message = "must be a whole number, not true or false"
        raise ValueError(message)
    return value


Count = Annotated[int, BeforeValidator(_no_bool), AlsoText(r"^\s*\d+\s*$", "the same as text")]
Flag = Annotated[bool, Field(strict=True)]


def default_workers() -> int:
    """Workers of a job that names none: the CPUs of this machine, five at most."""
    return min(os.cpu_count() or 1, 5)


class OperationSpec(BaseModel):
    """One entry of `operations`: its name, the common options, and its own options as extra fields."""

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True)

    op: NonEmpty = Field(alias="_op", description="name of the operation")
    encoding: Literal["json", "raw"] = Field(default="json", alias="_encoding")
    dead_letter_action: NonEmpty = Field(default="throw", alias="_dead_letter_action")

    @property
    def options(self) -> dict[str, Any]:
        """The operation's own options, as given."""
        return dict(self.__pydantic_extra__ or {})


class JobSpec(BaseModel):
    """A job with all defaults; the fields are documented in the API reference."""

    model_config = ConfigDict(extra="allow", frozen=True, populate_by_name=True)

    name: NonEmpty = Field(default="Custom Job", description="shown in every list")
    lifecycle: Literal["once", "persistent"] = Field(
        default="once", description="ends by itself, or runs until stopped"
    )
    operations: tuple[OperationSpec, ...] = Field(
        min_length=2, max_length=100, description="a reader and at least one processor, in order"
    )
    apis: tuple[dict[str, Any], ...] = ()
    workers: Count = Field(
        default_factory=default_workers, ge=1, le=100_000, description="worker processes wanted"
    )
    slicers: Count = Field(default=1, ge=1, le=1_000, description="slicers that make slices side by side")
    analytics: Flag = True
    active: Flag = True
    autorecover: Flag = False
    stateful: Flag = False
    max_retries: int = Field(
        default=3, ge=0, le=1_000_000, strict=True, description="tries after the first, for operation errors"
    )
    max_worker_losses: Count = Field(
        default=3, ge=1, le=1_000, description="workers a slice may kill before it is `poison`"
    )
    max_attempts: Literal[1] | None = Field(default=None, description="1: each slice is begun at most once")
    slice_timeout: DurationMs = Field(
        default=0, description="a worker that has a slice in hand for longer is killed; 0: never"
    )
    slice_soft_timeout: DurationMs = Field(
        default=0, description="operations are told when a slice takes longer; 0: never"
    )
    execution_timeout: DurationMs = Field(
        default=0,
        description="the execution fails if it takes longer, counted from its first start; 0: never",
    )
    probation_window: DurationMs = 300_000
    assets: tuple[str, ...] | None = None
    labels: dict[str, Any] | None = None
    env_vars: dict[str, Any] = {}
    log_level: LogLevel | None = None

    @field_validator("labels", "env_vars")
    @classmethod
    def _no_empty_values(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        for key, item in (value or {}).items():
            if item in ("", None):
                message = f'value for key "{key}" must be not empty'
                raise ValueError(message)
        return value

    @field_validator("slice_soft_timeout")
    @classmethod
    def _soft_comes_first(cls, value: int, info: ValidationInfo) -> int:
        hard = info.data.get("slice_timeout")
        if value and hard and value >= hard:
            message = f"must be shorter than slice_timeout ({hard} ms), at which the worker is killed"
            raise ValueError(message)
        return value

    @field_validator("operations", mode="before")
    @classmethod
    def _operations_are_objects(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple) or len(value) < 2:
            message = "Operations need to be of type array with at least two operations in it"
            raise ValueError(message)
        return value


class ExecutionSpec(JobSpec):
    """The execution document as controllers and workers read it: a JobSpec that has an identity."""

    ex_id: NonEmpty
    job_id: NonEmpty
    recovered_execution: str | None = None
    recovered_slice_type: Literal["all", "errors", "pending"] | None = None
