"""Jobs as clients post them become jobs with every default filled in."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from sliceworks.protocol.documents import ExecutionSpec, JobSpec, OperationSpec, default_workers

OPERATIONS = [{"_op": "data_generator", "size": 10}, {"_op": "noop"}]


def job(**fields: Any) -> JobSpec:
    return JobSpec.model_validate({"operations": OPERATIONS, **fields})


def test_the_defaults() -> None:
    spec = job()
    assert (spec.name, spec.lifecycle, spec.slicers, spec.max_retries) == ("Custom Job", "once", 1, 3)
    assert (spec.max_worker_losses, spec.max_attempts, spec.analytics, spec.active) == (3, None, True, True)
    assert spec.probation_window == 300_000
    assert spec.workers == default_workers()
    assert 1 <= default_workers() <= 5


def test_time_limits_are_off_unless_they_are_given() -> None:
    spec = job()
    assert (spec.slice_timeout, spec.slice_soft_timeout, spec.execution_timeout) == (0, 0, 0)
    spec = job(slice_timeout="1m", slice_soft_timeout="50s", execution_timeout="2h")
    assert (spec.slice_timeout, spec.slice_soft_timeout, spec.execution_timeout) == (
        60_000,
        50_000,
        7_200_000,
    )


def test_a_soft_limit_after_the_hard_one_is_refused() -> None:
    with pytest.raises(ValidationError, match="must be shorter than slice_timeout"):
        job(slice_timeout="1m", slice_soft_timeout="1m")


def test_options_of_an_operation_are_kept_apart_from_the_common_ones() -> None:
    operation = job().operations[0]
    assert operation.op == "data_generator"
    assert operation.options == {"size": 10}
    assert OperationSpec.model_validate({"_op": "x", "_encoding": "raw"}).encoding == "raw"


def test_unknown_fields_are_kept() -> None:
    spec = job(performance_metrics=False)
    assert spec.model_dump()["performance_metrics"] is False


def test_a_job_survives_being_written_and_read() -> None:
    spec = job(name="n", labels={"team": "a"}, probation_window="30s")
    assert JobSpec.model_validate_json(spec.model_dump_json(by_alias=True)) == spec


@pytest.mark.parametrize(
    "wrong",
    [
        {"operations": []},
        {"operations": [{"_op": "noop"}]},
        {"operations": "noop"},
        {"operations": [{"_op": ""}, {"_op": "noop"}]},
        {"operations": [{"name": "noop"}, {"_op": "noop"}]},
        {"name": ""},
        {"lifecycle": "forever"},
        {"workers": 0},
        {"workers": True},
        {"slicers": True},
        {"workers": "many"},
        {"slicers": 0},
        {"max_retries": -1},
        {"max_retries": "3"},
        {"max_worker_losses": 0},
        {"max_attempts": 0},
        {"probation_window": "soon"},
        {"slice_timeout": -1},
        {"slice_soft_timeout": "soon"},
        {"execution_timeout": None},
        {"labels": {"team": ""}},
        {"env_vars": {"A": None}},
        {"log_level": "loud"},
    ],
)
def test_what_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        job(**wrong)


def test_too_few_operations_are_refused_in_the_words_that_clients_know() -> None:
    with pytest.raises(ValidationError, match="at least two operations"):
        job(operations=[{"_op": "noop"}])


def test_an_execution_is_a_job_with_an_identity() -> None:
    document = {"operations": OPERATIONS, "ex_id": "e", "job_id": "j"}
    assert ExecutionSpec.model_validate(document).ex_id == "e"
    with pytest.raises(ValidationError):
        ExecutionSpec.model_validate({"operations": OPERATIONS})
