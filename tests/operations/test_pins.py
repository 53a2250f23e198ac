"""Pins: which asset an operation is meant from, and what is said when that is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sliceworks.operations.bundle import AssetPlace
from sliceworks.operations.pins import with_pins
from sliceworks.operations.validation import validate_job
from sliceworks.protocol.errors import InvalidError

MakeBundle = Callable[..., AssetPlace]

OP = """
from sliceworks.operations import MapProcessor, StrictOptions
class Mark(MapProcessor):
    class Options(StrictOptions):
        mark: str = "{mark}"
    def map(self, record):
        return {{**record, "mark": self.op_config.mark}}
"""
API = "from sliceworks.operations import OperationAPI\nclass Rates(OperationAPI):\n    pass"
READER = {"_op": "data_generator"}


@pytest.fixture
def two(bundle: MakeBundle) -> list[AssetPlace]:
    """Two versions of an asset with the same operation and the same API."""
    return [
        bundle({"mark/processor.py": OP.format(mark=version), "rates/api.py": API}, version=version)
        for version in ("1.0.0", "2.0.0")
    ]


def job(*names: str, **fields: Any) -> dict[str, Any]:
    return {"operations": [READER, *({"_op": name} for name in names)], **fields}


def faults_of(document: dict[str, Any], assets: list[tuple[str, AssetPlace]]) -> dict[str, str]:
    with pytest.raises(InvalidError) as caught:
        validate_job(document, assets=assets)
    return {fault.path: fault.message for fault in caught.value.faults}


def test_pins_become_ids(two: list[AssetPlace]) -> None:
    assets = [("tools:1.0.0", two[0]), ("tools:^2", two[1])]
    names = ("mark@tools:1.0.0", "mark@tools:^2", f"mark@{two[0].asset_id}", "noop")
    document = validate_job(job(*names, assets=["tools:1.0.0", "tools:^2"]), assets=assets)
    assert [operation["_op"] for operation in document["operations"][1:]] == [
        f"mark@{two[0].asset_id}",
        f"mark@{two[1].asset_id}",
        f"mark@{two[0].asset_id}",
        "noop",
    ]
    assert [operation.get("mark") for operation in document["operations"][1:]] == [
        "1.0.0",
        "2.0.0",
        "1.0.0",
        None,
    ]
    assert document["assets"] == [place.asset_id for place in two]


def test_a_name_that_only_one_asset_has_needs_no_pin(two: list[AssetPlace]) -> None:
    document = validate_job(job("mark"), assets=[("tools", two[0]), ("tools:1", two[0])])
    assert document["operations"][1]["_op"] == "mark"
    assert document["assets"] == [two[0].asset_id]


def test_a_name_that_both_have_needs_one(two: list[AssetPlace]) -> None:
    document = job("mark", apis=[{"_name": "rates:a"}])
    assert faults_of(document, [("a", two[0]), ("b", two[1])]) == {
        "operations.1._op": 'Multiple assets containing the same processor name _op: "mark", '
        "please specify which specific asset to use on its name",
        "apis.0._name": 'Multiple assets containing the same api name _op: "rates", '
        "please specify which specific asset to use on its name",
    }


@pytest.mark.parametrize("name", ["mark@tools:9", "mark@", f"mark@{'f' * 40}", "mark@tools:1.0.0:tag@x"])
def test_a_pin_must_be_among_the_assets(two: list[AssetPlace], name: str) -> None:
    identifier = name.partition("@")[2]
    assert faults_of(job(name), [("tools:1.0.0", two[0])]) == {
        "operations.1._op": f"Invalid operation name for _op: {name}, "
        f"could not find the hashID for asset identifier {identifier}"
    }


def test_a_pin_in_a_job_without_assets_is_a_fault() -> None:
    assert list(faults_of(job("mark@tools:1"), [])) == ["operations.1._op"]


def test_an_operation_that_the_asset_does_not_have_is_a_fault(two: list[AssetPlace]) -> None:
    faults = faults_of(job("marc@tools"), [("tools", two[0])])
    expected = f"Unable to find module for operation: marc@{two[0].asset_id}; did you mean mark?"
    assert faults == {"operations.1._op": expected}


def test_apis_and_all_who_name_them_are_pinned_alike(two: list[AssetPlace]) -> None:
    pinned = {"_api_name": "rates@tools:1.0.0:today", "_dead_letter_action": "rates@tools:1.0.0:bad"}
    document = {
        "operations": [READER, {"_op": "mark@tools:1.0.0", **pinned}],
        "apis": [
            {"_name": "rates@tools:1.0.0:today"},
            {"_name": "rates@tools:1.0.0:bad"},
            {"_name": "rates@tools:2"},
        ],
    }
    found = validate_job(document, assets=[("tools:1.0.0", two[0]), ("tools:2", two[1])])
    first, second = (place.asset_id for place in two)
    assert [api["_name"] for api in found["apis"]] == [
        f"rates@{first}:today",
        f"rates@{first}:bad",
        f"rates@{second}",
    ]
    assert found["operations"][1]["_api_name"] == f"rates@{first}:today"
    assert found["operations"][1]["_dead_letter_action"] == f"rates@{first}:bad"


def test_the_longest_identifier_counts(two: list[AssetPlace]) -> None:
    assets = [("tools", two[0]), ("tools:today", two[1])]
    document = with_pins({"apis": [{"_name": "rates@tools:today"}, {"_name": "rates@tools:other"}]}, assets)
    assert [entry["_name"] for entry in document["apis"]] == [
        f"rates@{two[1].asset_id}",
        f"rates@{two[0].asset_id}:other",
    ]


def test_options_of_pinned_operations_are_checked(two: list[AssetPlace]) -> None:
    document = {"operations": [READER, {"_op": "mark@tools", "mork": 1}]}
    assert faults_of(document, [("tools", two[0])]) == {
        "operations.1.mork": "operation mark, option mork: there is no such option; did you mean mark?"
    }


def test_code_that_cannot_be_imported_is_a_fault_of_the_operation(bundle: MakeBundle) -> None:
    place = bundle({"bad/processor.py": "import nowhere"})
    [(path, text)] = faults_of(job("bad"), [("tools", place)]).items()
    assert path == "operations.1._op"
    assert text.startswith("asset tools:1.0.0: bad/processor.py: cannot be imported")


def test_an_asset_that_is_not_there_is_a_fault_of_the_assets(bundle: MakeBundle) -> None:
    place = bundle({})
    (place.directory / "asset.json").unlink()
    place.directory.rmdir()
    assert list(faults_of(job("noop"), [("tools", place)])) == ["assets"]


def test_what_is_no_job_stays_a_fault(two: list[AssetPlace]) -> None:
    assets = [("tools", two[0])]
    assert "operations" in faults_of({"operations": 7, "apis": 8}, assets)
    assert faults_of({"operations": [READER, 7, {"_op": 8}], "apis": [9]}, assets)
