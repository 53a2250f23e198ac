"""Jobs as posted: every fault at once, or every default filled in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import field_validator

from sliceworks.operations import BatchProcessor, Fault, OperationOptions
from sliceworks.operations.validation import validate_job
from sliceworks.protocol.documents import ExecutionSpec
from sliceworks.protocol.errors import InvalidError

READER = {"_op": "data_generator"}
NOOP = {"_op": "noop"}


def faults_of(document: object) -> dict[str, str]:
    with pytest.raises(InvalidError) as caught:
        validate_job(document)
    return {fault.path: fault.message for fault in caught.value.faults}


def faults_in(*operations: Any, **fields: Any) -> dict[str, str]:
    return faults_of({"operations": list(operations), **fields})


def test_every_default_is_filled_in() -> None:
    document = validate_job({"name": "a", "operations": [{**READER, "size": "10"}, NOOP]})
    assert document["operations"] == [
        {
            "_op": "data_generator",
            "_encoding": "json",
            "_dead_letter_action": "throw",
            "size": 10,
            "slice_size": 5000,
            "seed": None,
        },
        {"_op": "noop", "_encoding": "json", "_dead_letter_action": "throw"},
    ]
    assert document["lifecycle"] == "once"
    assert document["max_retries"] == 3
    assert document["analytics"] is True
    assert document["workers"] >= 1


def test_the_result_is_json_and_stays_as_it_is(tmp_path: Path) -> None:
    operations = [
        {"_op": "file_reader", "path": str(tmp_path)},
        {"_op": "filter", "field": "a", "value": 1},
        {"_op": "delay", "ms": "2s"},
        {"_op": "script", "command": "cat"},
        {"_op": "file_exporter", "path": str(tmp_path / "out")},
    ]
    document = validate_job({"operations": operations, "probation_window": "1 minute"})
    assert validate_job(orjson.loads(orjson.dumps(document))) == document
    assert document["operations"][2]["ms"] == 2000
    assert document["probation_window"] == 60_000
    assert ExecutionSpec.model_validate({**document, "ex_id": "e", "job_id": "j"})


def test_unknown_fields_of_a_job_are_kept() -> None:
    assert validate_job({"operations": [READER, NOOP], "targets": [1]})["targets"] == [1]


@pytest.mark.parametrize("document", [None, [], "job", 5])
def test_a_job_is_an_object(document: object) -> None:
    assert faults_of(document) == {"": "must be object"}


@pytest.mark.parametrize(
    ("fields", "path", "text"),
    [
        ({"workers": 0}, "workers", "must be valid integer greater than zero"),
        ({"workers": "many"}, "workers", "must be valid integer greater than zero"),
        ({"workers": True}, "workers", "must be valid integer greater than zero"),
        ({"slicers": 0.5}, "slicers", "must be valid integer greater than zero"),
        ({"slicers": 100_000}, "slicers", "must be less than or equal to 1000, got 100000"),
        ({"max_retries": "3"}, "max_retries", "must be valid integer greater than or equal to zero"),
        ({"lifecycle": "twice"}, "lifecycle", 'Invalid option: expected one of "once"|"persistent"'),
        (
            {"log_level": "loud"},
            "log_level",
            "must be one of the following: trace,debug,info,warn,error,fatal",
        ),
        ({"labels": {"a": ""}}, "labels", 'value for key "a" must be not empty'),
        ({"env_vars": 5}, "env_vars", "must be object"),
        ({"assets": 5}, "assets", "must be a valid array, got 5"),
        ({"probation_window": "soon"}, "probation_window", "must be a whole number of milliseconds"),
        ({"apis": [5]}, "apis.0", "must be object"),
        ({"apis": [{}]}, "apis.0._name", "API requires an _name"),
        ({"apis": [{"_name": "a"}]}, "apis.0._name", "Unable to find module for operation: a"),
    ],
)
def test_faults_of_the_job(fields: dict[str, Any], path: str, text: str) -> None:
    faults = faults_in(READER, NOOP, **fields)
    assert list(faults) == [path]
    assert text in faults[path]


@pytest.mark.parametrize("operations", [[], [READER], "text", None, {}])
def test_a_job_has_two_operations(operations: Any) -> None:
    text = "Operations need to be of type array with at least two operations in it"
    assert faults_of({"operations": operations})["operations"] == text
    assert faults_of({})["operations"] == text


def test_two_apis_of_one_name() -> None:
    faults = faults_in(READER, NOOP, apis=[{"_name": "a"}, {"_name": "a"}])
    assert faults["apis.1._name"] == "Duplicate API configurations for a found"


@pytest.mark.parametrize(
    ("operation", "path", "text"),
    [
        (5, "operations.1", "must be object"),
        ({}, "operations.1._op", "This field is required and must be of type string"),
        ({"_op": 5}, "operations.1._op", "This field is required and must be of type string"),
        ({"_op": "nop"}, "operations.1._op", "Unable to find module for operation: nop; did you mean noop"),
        (READER, "operations.1._op", "data_generator: a reader can only be the first operation"),
        ({**NOOP, "_encoding": "xml"}, "operations.1._encoding", 'expected one of "json"|"raw"'),
        (
            {**NOOP, "_dead_letter_action": "kafka"},
            "operations.1._dead_letter_action",
            "throw, log, none, or the name of one of the job's apis",
        ),
        ({**NOOP, "_api_name": "a"}, "operations.1._api_name", "Could not find the associated api for a"),
        (
            {**NOOP, "_connection": "z"},
            "operations.1._connection",
            'refers to connection "z" which is unavailable',
        ),
        ({**NOOP, "x": 1}, "operations.1.x", "operation noop, option x: there is no such option"),
        (
            {"_op": "delay", "mss": 1},
            "operations.1.mss",
            "operation delay, option mss: there is no such option; did you mean ms?",
        ),
        (
            {"_op": "delay", "ms": "soon"},
            "operations.1.ms",
            "operation delay, option ms: must be a whole number",
        ),
        ({"_op": "delay", "ms": -1}, "operations.1.ms", "must be greater than or equal to 0, got -1"),
        ({"_op": "filter"}, "operations.1.field", "operation filter, option field: is required"),
        (
            {"_op": "script", "command": "a", "args": [1]},
            "operations.1.args",
            "must be a valid string, got 1 (at [0])",
        ),
    ],
)
def test_faults_of_an_operation(operation: Any, path: str, text: str) -> None:
    faults = faults_in(READER, operation, NOOP)
    assert path in faults
    assert text in faults[path]


def test_the_first_operation_is_a_reader() -> None:
    assert faults_in(NOOP, NOOP)["operations.0._op"].startswith("Failure loading slicer from module: noop")


def test_all_faults_are_told_at_once() -> None:
    faults = faults_in(
        {"_op": "file_reader", "path": "/no/such", "sise": 1, "format": "xml"},
        {"_op": "nop"},
        {"_op": "filter", "regex": "("},
        READER,
        workers=0,
        lifecycle="never",
    )
    assert set(faults) == {
        "workers",
        "lifecycle",
        "operations.0.path",
        "operations.0.sise",
        "operations.0.format",
        "operations.1._op",
        "operations.2.field",
        "operations.2.regex",
        "operations.3._op",
    }


def test_the_message_names_the_job_and_each_fault() -> None:
    with pytest.raises(InvalidError) as caught:
        validate_job({"name": "nightly", "workers": 0, "operations": [READER, {"_op": "nop"}]})
    assert str(caught.value).startswith("Validation failed for job config: nightly - workers: must be")
    assert "operations.1._op: Unable to find module" in str(caught.value)


def test_a_message_has_an_end() -> None:
    with pytest.raises(InvalidError, match=r"and 50 more$") as caught:
        validate_job({"operations": [READER, *[{"_op": "nop"}] * 70]})
    assert len(caught.value.faults) == 70


class Own(BatchProcessor):
    """An author's operation with a schema that allows other options."""

    class Options(OperationOptions):
        """Its options."""

        depth: int = 1

        @field_validator("depth")
        @classmethod
        def _not_too_deep(cls, value: int) -> int:
            if value > 9:
                message = "is too deep"
                raise ValueError(message)
            return value

        def check(self, job: Mapping[str, Any]) -> Iterable[Fault]:
            if self.depth == 3:
                message = "broken check"
                raise KeyError(message)
            if self.depth > job["workers"]:
                yield Fault("depth", "is more than there are workers")


def test_options_of_authors(register: Any) -> None:
    register("own", processor=Own)
    own = validate_job({"workers": 1, "operations": [READER, {"_op": "own", "more": [1]}]})["operations"][1]
    assert (own["depth"], own["more"]) == (1, [1])
    assert faults_in(READER, {"_op": "own", "depth": 10}) == {
        "operations.1.depth": "operation own, option depth: is too deep"
    }
    assert faults_in(READER, {"_op": "own", "depth": 2}, workers=1) == {
        "operations.1.depth": "operation own, option depth: is more than there are workers"
    }
    assert "broken check" in faults_in(READER, {"_op": "own", "depth": 3}, workers=1)["operations.1"]


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
FLAT = LEAVES | st.lists(LEAVES, max_size=3) | st.dictionaries(st.text(), LEAVES, max_size=3)
JSON = FLAT | st.lists(FLAT, max_size=3) | st.dictionaries(st.text(), FLAT, max_size=3)
NAMES = st.sampled_from(
    ["name", "workers", "operations", "apis", "lifecycle", "labels", "assets", "log_level"]
)
OPTION_NAMES = st.sampled_from(
    [
        "_op",
        "_encoding",
        "_dead_letter_action",
        "_api_name",
        "_connection",
        "ms",
        "field",
        "regex",
        "value",
        "size",
    ]
)
OPERATION_NAMES = st.sampled_from(["noop", "filter", "delay", "data_generator", "script", "what"])
ENTRIES = st.builds(
    lambda options, name: options | {"_op": name},
    st.dictionaries(OPTION_NAMES, JSON, max_size=4),
    OPERATION_NAMES,
)


@given(st.dictionaries(NAMES, JSON, max_size=5), st.lists(ENTRIES | JSON, max_size=4))
def test_no_document_breaks_the_validation(fields: dict[str, Any], operations: list[Any]) -> None:
    document = validated({**fields, "operations": operations})
    assert document is None or len(document["operations"]) == len(operations)


def validated(document: dict[str, Any]) -> dict[str, Any] | None:
    """The document, None if it was refused with faults."""
    try:
        return validate_job(document)
    except InvalidError as error:
        if not error.faults:
            raise
        return None
