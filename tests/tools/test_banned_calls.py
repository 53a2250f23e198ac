"""Banned calls: which ways to start a task are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.banned_calls import faults


def found(tmp_path: Path, line: str, name: str = "master/thing.py") -> list[str]:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{line}\n")
    return list(faults(path, tmp_path))


@pytest.mark.parametrize(
    "line",
    [
        "asyncio.create_task(work(), name='x')",
        "create_task(work(), name='x')",
        "loop.create_task(work(), name='x')",
        "self._loop.create_task(work(), name='x')",
        "asyncio.get_running_loop().create_task(work(), name='x')",
        "group.create_task(work())",
        "asyncio.gather(a, b)",
        "asyncio.ensure_future(a)",
        "loop.call_later(1, f)",
    ],
)
def test_finds(tmp_path: Path, line: str) -> None:
    assert len(found(tmp_path, line)) == 1


@pytest.mark.parametrize(
    "line", ["group.create_task(work(), name='x')", "records.gather(a)", "loop.call_soon(f)"]
)
def test_allows(tmp_path: Path, line: str) -> None:
    assert found(tmp_path, line) == []


def test_the_implementation_of_supervision_is_exempt(tmp_path: Path) -> None:
    assert found(tmp_path, "asyncio.create_task(work())", "protocol/actor.py") == []
