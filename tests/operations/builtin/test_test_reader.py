"""The test_reader operation."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from sliceworks.operations.errors import SlicerError
from sliceworks.operations.harness import OperationHarness, run_job, run_slicer


def test_it_has_data_of_its_own() -> None:
    result = run_job({"operations": [{"_op": "test_reader"}, {"_op": "noop"}]})
    assert (result.slices, len(result.records), result.failed) == (10, 100, [])


def test_data_come_from_files(write: Any) -> None:
    requests = write("requests.json", orjson.dumps([{"n": 1}, {"n": 2}, 5]))
    records = write("records.json", orjson.dumps([{"a": 1}]))
    options = {"slicer_data_file_path": str(requests), "fetcher_data_file_path": str(records)}
    assert run_slicer("test_reader", options).requests == [{"n": 1}, {"n": 2}, 5]
    with OperationHarness("test_reader", options) as reader:
        first = reader.run({"n": 1})
        first[0]["a"] = "changed"
        assert reader.run({"n": 2}) == [{"a": 1}]


def test_requests_may_be_the_records(write: Any) -> None:
    path = write("requests.json", orjson.dumps([[{"a": 1}], [{"a": 2}, {"a": 3}]]))
    reader = {"_op": "test_reader", "slicer_data_file_path": str(path), "passthrough_slice": True}
    assert run_job({"operations": [reader, {"_op": "noop"}]}).records == [{"a": 1}, {"a": 2}, {"a": 3}]


def test_it_goes_on_where_it_was() -> None:
    first = run_slicer("test_reader", limit=4)
    rest = run_slicer("test_reader", recovery=first.recovery)
    assert first.requests + rest.requests == run_slicer("test_reader").requests
    entry = {"slicer_id": 0, "last_slice": {}}
    with pytest.raises(SlicerError, match="without the checkpoint"):
        run_slicer("test_reader", recovery=[entry])


def test_a_persistent_job_begins_again() -> None:
    made = run_slicer("test_reader", job={"lifecycle": "persistent"}, limit=25)
    assert made.requests[:5] == made.requests[20:]


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "does not exist"), (b"{", "is not JSON"), (b"{}", "must hold a JSON array")],
)
@pytest.mark.parametrize("option", ["fetcher_data_file_path", "slicer_data_file_path"])
def test_faults(
    option_faults: Any, write: Any, tmp_path: Any, option: str, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "data.json" if content is None else write("data.json", content)
    faults = option_faults({"_op": "test_reader", option: str(path)}, is_reader=True)
    assert list(faults) == [option]
    assert reason in faults[option]


def test_faults_of_what_files_hold(option_faults: Any, write: Any, tmp_path: Any) -> None:
    path = str(write("data.json", b"[1]"))
    reader = {"_op": "test_reader"}
    assert (
        "an array of objects"
        in option_faults({**reader, "fetcher_data_file_path": path}, is_reader=True)["fetcher_data_file_path"]
    )
    passed = {**reader, "passthrough_slice": True}
    assert (
        "an array of objects"
        in option_faults({**passed, "slicer_data_file_path": path}, is_reader=True)["slicer_data_file_path"]
    )
    assert "without slicer_data_file_path" in option_faults(passed, is_reader=True)["slicer_data_file_path"]
    folder = option_faults({**reader, "fetcher_data_file_path": str(tmp_path)}, is_reader=True)
    assert "cannot be read" in folder["fetcher_data_file_path"]
