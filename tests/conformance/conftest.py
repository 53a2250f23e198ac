"""The engines that the conformance suite holds to the contract; another one joins here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from sliceworks.master.store.contract import ClusterStore
from sliceworks.master.store.engine import StateStore
from tests.postgres_server import PostgresServer, embedded_binaries, running, system_binaries

Servers = Callable[[str], PostgresServer]
BINARIES = {"postgres": embedded_binaries, "postgres_of_the_system": system_binaries}


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """A server by its name, started when the first test wants it."""
    started: dict[str, PostgresServer] = {}
    with ExitStack() as stack:

        def server(name: str) -> PostgresServer:
            if name not in started:
                started[name] = stack.enter_context(running(BINARIES[name]()))
            return started[name]

        yield server


@pytest.fixture(params=["sqlite", *BINARIES])
def state(request: pytest.FixtureRequest, tmp_path: Path, servers: Servers) -> StateStore:
    """An empty store of each engine."""
    place = partial(StateStore, data_dir=tmp_path, durability="full")
    return place("sqlite") if request.param == "sqlite" else place(servers(request.param).new_url())


@pytest.fixture
async def store(state: StateStore) -> AsyncIterator[ClusterStore]:
    """The cluster's part of it."""
    async with state.open_cluster() as opened:
        yield opened
