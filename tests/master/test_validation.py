"""Jobs are checked in children that may hang or die."""

from __future__ import annotations

from collections.abc import AsyncIterator

import orjson
import pytest

from sliceworks.master.validation import JobValidator
from sliceworks.protocol.errors import InvalidError
from sliceworks.protocol.forkserver import ForkServer


@pytest.fixture
async def forks() -> AsyncIterator[ForkServer]:
    async with ForkServer.start("sliceworks.master.children") as server:
        yield server


async def test_a_good_job_comes_back_with_its_defaults(forks: ForkServer) -> None:
    job = {"operations": [{"_op": "data_generator"}, {"_op": "noop"}]}
    document = await JobValidator(forks)(orjson.dumps(job))
    assert (document["name"], document["slicers"]) == ("Custom Job", 1)
    assert document["operations"][0]["size"] == 5_000


async def test_all_faults_come_back(forks: ForkServer) -> None:
    job = {"workers": 0, "operations": [{"_op": "nowhere"}, {"_op": "noop"}]}
    with pytest.raises(InvalidError) as caught:
        await JobValidator(forks)(orjson.dumps(job))
    assert {fault.path for fault in caught.value.faults} == {"workers", "operations.0._op"}


async def test_a_check_that_hangs_is_ended(forks: ForkServer) -> None:
    validator = JobValidator(forks, timeout_seconds=0)
    with pytest.raises(InvalidError, match="took longer than 0 s"):
        await validator(b"{}")
