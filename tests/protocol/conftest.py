"""The loop of these tests is the one that the daemons run on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

HERE = Path(__file__).parent


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
def fork_targets(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module with TARGETS that a fork server finds."""
    monkeypatch.syspath_prepend(str(HERE))
    return "fork_targets"
