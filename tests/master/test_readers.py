"""Readers are asked in a child whether they can be recovered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from sliceworks.master.assets.folder import AssetFolder
from sliceworks.master.readers import ReaderQuestion
from sliceworks.protocol.forkserver import ForkServer


@pytest.fixture
async def question(tmp_path: Path) -> AsyncIterator[ReaderQuestion]:
    async with ForkServer.start("sliceworks.master.children") as forks:
        yield ReaderQuestion(forks, AssetFolder(tmp_path))


def document(**fields: Any) -> bytes:
    own = {"operations": [{"_op": "data_generator"}, {"_op": "noop"}], "ex_id": "ex", "job_id": "job"}
    return orjson.dumps({**own, **fields})


async def test_a_reader_answers_for_itself(question: ReaderQuestion) -> None:
    assert await question(document())


async def test_a_reader_of_an_asset_answers_for_itself(question: ReaderQuestion, tmp_path: Path) -> None:
    asset_id = "a" * 40
    folder = tmp_path / asset_id
    (folder / "counting").mkdir(parents=True)
    (folder / "asset.json").write_text('{"name": "counting", "version": "1.0.0"}')
    (folder / "counting" / "slicer.py").write_text(
        "from sliceworks.operations import Slicer\n"
        "class Counting(Slicer):\n"
        "    async def is_recoverable(self):\n"
        "        return self.op_config.answer\n"
        "    def slice(self):\n"
        "        return None\n"
    )
    (folder / "counting" / "fetcher.py").write_text(
        "from sliceworks.operations import Fetcher\n"
        "class Counting(Fetcher):\n"
        "    def fetch(self, request):\n"
        "        return []\n"
    )
    for answer in (True, False):
        operations = [{"_op": "counting", "answer": answer}, {"_op": "noop"}]
        assert await question(document(operations=operations, assets=[asset_id])) is answer


async def test_a_reader_that_cannot_be_made_is_left_to_the_execution(question: ReaderQuestion) -> None:
    assert await question(document(operations=[{"_op": "nowhere"}, {"_op": "noop"}]))
