"""Generated records: every id once, the same again with a seed."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sliceworks.operations.errors import SlicerError
from sliceworks.operations.slicers import SlicerSet

FIELDS = ["id", "uuid", "created", "ip", "url", "userAgent", "bytes", "location"]


def ids(requests: list[dict[str, int]]) -> list[int]:
    return [n for request in requests for n in range(request["start"], request["start"] + request["count"])]


async def test_the_last_slice_is_what_is_left(requests_of: Any) -> None:
    made = await requests_of({"_op": "data_generator", "size": 12, "slice_size": 5})
    assert made == [{"start": 0, "count": 5}, {"start": 5, "count": 5}, {"start": 10, "count": 2}]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(size=st.integers(1, 60), slice_size=st.integers(1, 20), slicers=st.integers(1, 5))
async def test_every_id_is_in_one_slice(requests_of: Any, size: int, slice_size: int, slicers: int) -> None:
    entry = {"_op": "data_generator", "size": size, "slice_size": slice_size}
    made = await requests_of(entry, slicers=slicers)
    assert sorted(ids(made)) == list(range(size))
    assert len(made) == -(-size // slice_size)


async def test_a_persistent_job_has_no_end(execution: Any) -> None:
    entry = {"_op": "data_generator", "size": 3}
    slicers = await SlicerSet.open(
        execution(entry, {"_op": "noop"}, lifecycle="persistent", slicers=2), recovery=[]
    )
    assert [await slicers.next(n) for n in (0, 0, 1, 1)] == [
        [b'{"start":0,"count":3,"stride":6}'],
        [b'{"start":6,"count":3,"stride":6}'],
        [b'{"start":3,"count":3,"stride":6}'],
        [b'{"start":9,"count":3,"stride":6}'],
    ]


@pytest.mark.parametrize("slicers", [1, 3])
async def test_recovery_goes_on_where_each_slicer_was(requests_of: Any, slicers: int) -> None:
    entry = {"_op": "data_generator", "size": 100, "slice_size": 7}
    made = await requests_of(entry, slicers=slicers)
    done = [made[0]] if slicers == 1 else [made[1], made[6]]
    recovery = [{"slicer_id": n, "last_slice": request, "checkpoint": None} for n, request in enumerate(done)]
    rest = await requests_of(entry, slicers=slicers, recovery=recovery)
    before = made[:1] if slicers == 1 else made[:2] + made[5:7]
    assert sorted(ids(before) + ids(rest)) == list(range(100))


async def test_one_slicer_may_go_on_with_slices_of_another_size(requests_of: Any) -> None:
    recovery = [{"slicer_id": 0, "last_slice": {"start": 5, "count": 5}, "checkpoint": None}]
    made = await requests_of({"_op": "data_generator", "size": 12, "slice_size": 100}, recovery=recovery)
    assert made == [{"start": 10, "count": 2}]


@pytest.mark.parametrize(
    ("slicers", "last"), [(2, {"start": 0, "count": 5}), (1, {"start": 0, "count": 5, "stride": 10})]
)
async def test_a_recovery_that_would_leave_gaps_is_refused(
    requests_of: Any, slicers: int, last: dict[str, int]
) -> None:
    recovery = [{"slicer_id": 0, "last_slice": last, "checkpoint": None}]
    with pytest.raises(SlicerError, match="cannot go on with another number of slicers"):
        await requests_of({"_op": "data_generator", "size": 12}, slicers=slicers, recovery=recovery)


@pytest.mark.parametrize("seed", [None, 5])
def test_records_have_all_fields(operation: Any, seed: int | None) -> None:
    records = operation("data_generator", seed=seed).fetch({"start": 3, "count": 20})
    assert [record["id"] for record in records] == list(range(3, 23))
    assert all(list(record) == FIELDS for record in records)
    assert all(uuid.UUID(record["uuid"]).version == 4 for record in records)
    assert all(uuid.UUID(record["uuid"]).variant == uuid.RFC_4122 for record in records)
    assert len({record["uuid"] for record in records}) == 20
    for record in records:
        assert datetime.fromisoformat(record["created"]).tzinfo is not None
        assert all(0 <= int(part) <= 255 for part in record["ip"].split("."))
        latitude, longitude = map(float, record["location"].split(", "))
        assert abs(latitude) <= 90
        assert abs(longitude) <= 180


def test_a_seed_gives_the_same_records_however_they_are_sliced(operation: Any) -> None:
    one, other = operation("data_generator", seed="a"), operation("data_generator", seed="a")
    whole = one.fetch({"start": 0, "count": 10})
    parts = [other.fetch({"start": n, "count": 1})[0] for n in range(10)]
    assert whole == parts
    assert operation("data_generator", seed="b").fetch({"start": 0, "count": 10}) != whole


def test_without_a_seed_they_differ(operation: Any) -> None:
    generator = operation("data_generator")
    request = {"start": 0, "count": 1}
    assert generator.fetch(request)[0]["uuid"] != generator.fetch(request)[0]["uuid"]


def test_faults(option_faults: Any) -> None:
    assert "size" in option_faults({"_op": "data_generator", "size": 0}, is_reader=True)
    assert "slice_size" in option_faults({"_op": "data_generator", "slice_size": "x"}, is_reader=True)
