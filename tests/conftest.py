"""What all tests have in common: no setting from outside reaches them, and no child process is left."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SLICEWORKS_")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _no_child_left() -> Iterator[None]:
    """A test that leaves a child process behind fails."""
    before = _children()
    yield
    left = _children() - before
    assert not left, f"child processes are left: {sorted(left)}"


def _children() -> set[int]:
    path = Path(f"/proc/self/task/{os.getpid()}/children")
    return {int(pid) for pid in path.read_text().split()} if path.exists() else set()
