"""The `apis` of a job: every fault, or every default."""

from __future__ import annotations

from typing import Any

import pytest

from sliceworks.operations import Observer, OperationAPI, StrictOptions
from sliceworks.operations.validation import validate_job
from sliceworks.protocol.errors import InvalidError

READER = {"_op": "data_generator"}
NOOP = {"_op": "noop"}


class Store(OperationAPI):
    class Options(StrictOptions):
        size: int = 10


class Watch(Observer):
    """Takes any options."""


@pytest.fixture(autouse=True)
def classes(register: Any) -> None:
    register("store", api=Store)
    register("watch", api=Watch)


def faults_in(*apis: Any, **options: Any) -> dict[str, str]:
    job = {"operations": [READER, {**NOOP, **options}], "apis": list(apis)}
    with pytest.raises(InvalidError) as caught:
        validate_job(job)
    return {fault.path: fault.message for fault in caught.value.faults}


def test_defaults_are_filled_in() -> None:
    job = validate_job(
        {
            "operations": [READER, {**NOOP, "_api_name": "store:a", "_dead_letter_action": "store:b"}],
            "apis": [{"_name": "store:a"}, {"_name": "store:b", "size": 5}, {"_name": "watch", "more": 1}],
        }
    )
    common = {"_encoding": "json", "_dead_letter_action": "throw"}
    assert job["apis"] == [
        {"_name": "store:a", **common, "size": 10},
        {"_name": "store:b", **common, "size": 5},
        {"_name": "watch", **common, "more": 1},
    ]
    assert job["operations"][1] == {
        "_op": "noop",
        "_encoding": "json",
        "_dead_letter_action": "store:b",
        "_api_name": "store:a",
    }
    assert validate_job(job) == job


@pytest.mark.parametrize(
    ("api", "path", "text"),
    [
        ({"_name": "stor"}, "_name", "Unable to find module for operation: stor; did you mean store?"),
        ({"_name": "noop"}, "_name", "Unable to find module for operation: noop"),
        ({"_name": "none"}, "_name", "it is a _dead_letter_action"),
        ({"_name": f"store:{'x' * 200}"}, "_name", "must have at most 200 characters, this has 206"),
        ({"_name": 5}, "_name", "API requires an _name"),
        ({"_name": "store:a", "size": "x"}, "size", "API store:a, option size: must be a valid integer"),
        ({"_name": "store", "big": 1}, "big", "API store, option big: there is no such option"),
        ({"_name": "store", "_encoding": "xml"}, "_encoding", "must be json or raw, got 'xml'"),
        ({"_name": "store", "_dead_letter_action": 5}, "_dead_letter_action", "must be throw, log, none"),
        ({"_name": "store", "_dead_letter_action": "x"}, "_dead_letter_action", "listed before it"),
    ],
)
def test_faults_of_an_api(api: dict[str, Any], path: str, text: str) -> None:
    faults = faults_in(api)
    assert list(faults) == [f"apis.0.{path}"]
    assert text in faults[f"apis.0.{path}"]


def test_an_api_cannot_be_called_like_an_action(register: Any) -> None:
    register("log", api=Store)
    assert "it is a _dead_letter_action" in faults_in({"_name": "log"})["apis.0._name"]


def test_all_faults_at_once() -> None:
    faults = faults_in(5, {"_name": "store", "size": []}, {"_name": "store"}, _api_name="watch")
    assert set(faults) == {"apis.0", "apis.1.size", "apis.2._name", "operations.1._api_name"}


def test_observers_take_no_dead_letters() -> None:
    faults = faults_in({"_name": "watch"}, _dead_letter_action="watch")
    assert "watch is an observer" in faults["operations.1._dead_letter_action"]


def test_there_is_a_limit() -> None:
    apis = [{"_name": f"store:{number}"} for number in range(101)]
    assert "at most 100 APIs" in faults_in(*apis)["apis"]


def test_dead_letters_of_an_api_go_to_one_before_it() -> None:
    first, second = {"_name": "store:a"}, {"_name": "store:b", "_dead_letter_action": "store:a"}
    job = {"operations": [READER, NOOP], "apis": [first, second]}
    assert validate_job(job)["apis"][1]["_dead_letter_action"] == "store:a"
    assert "an API listed before it, got 'store:a'" in faults_in(second, first)["apis.0._dead_letter_action"]
