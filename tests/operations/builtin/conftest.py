"""What the tests of built-in operations share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from sliceworks.operations.slicers import SlicerSet
from sliceworks.operations.validation import validate_job
from sliceworks.protocol.errors import InvalidError


@pytest.fixture
def requests_of(execution: Any) -> Callable[..., Any]:
    """All requests of a reader, of its slicers in turn."""

    async def collect(
        entry: dict[str, Any], *, recovery: list[dict[str, Any]] | None = None, **fields: Any
    ) -> Any:
        slicers = await SlicerSet.open(execution(entry, {"_op": "noop"}, **fields), recovery=recovery or [])
        made: list[Any] = []
        for slicer_id in range(slicers.slicers):
            while requests := await slicers.next(slicer_id):
                assert isinstance(requests, list)
                made += [orjson.loads(request) for request in requests]
        await slicers.close()
        return made

    return collect


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file below the folder of the test."""

    def write_one(name: str, content: bytes | str = b"") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_one


@pytest.fixture
def option_faults() -> Callable[..., dict[str, str]]:
    """The faults of one operation's options, by option."""

    def check(entry: dict[str, Any], *, is_reader: bool = False, **fields: Any) -> dict[str, str]:
        operations = [entry, {"_op": "noop"}] if is_reader else [{"_op": "data_generator"}, entry]
        place = 0 if is_reader else 1
        try:
            validate_job({"operations": operations, **fields})
        except InvalidError as error:
            return {fault.path.removeprefix(f"operations.{place}."): fault.message for fault in error.faults}
        return {}

    return check
