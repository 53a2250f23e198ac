"""Which engine keeps the state: the one place where `state.url` is looked at."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from sliceworks.master.store.cluster import SqliteClusterStore
from sliceworks.master.store.contract import BatchStore, ClusterStore
from sliceworks.master.store.execution import ExecutionStore, store_path
from sliceworks.master.store.reading import StorePlace
from sliceworks.master.store.sqlite import Durability, unavailable_raised
from sliceworks.protocol.ids import ExId
from sliceworks.protocol.settings import Settings

SQLITE: Final = "sqlite"


@dataclass(frozen=True, slots=True)
class StateStore:
    """Where the state of one cluster is kept; opens its parts.  psycopg is imported only if it is needed."""

    url: str
    data_dir: Path
    durability: Durability

    @asynccontextmanager
    async def open_cluster(self) -> AsyncIterator[ClusterStore]:
        """The store of the cluster, for its one master."""
        if self.url == SQLITE:
            path = self.data_dir / "cluster.db"
            async with SqliteClusterStore.open(path, durability=self.durability) as files:
                yield files
            return
        from sliceworks.master.store.postgres_cluster import PostgresClusterStore  # noqa: PLC0415

        async with PostgresClusterStore.open(self.url, durability=self.durability) as database:
            yield database

    def open_execution(self, ex_id: str, *, generation: int) -> BatchStore:
        """The store of an execution, for this generation of its controller alone; FencedError."""
        if self.url == SQLITE:
            path = store_path(self.data_dir, ex_id)
            with unavailable_raised():
                return ExecutionStore.open(
                    path, ex_id=ex_id, generation=generation, durability=self.durability
                )
        from sliceworks.master.store.postgres_execution import PostgresExecutionStore  # noqa: PLC0415

        return PostgresExecutionStore.open(
            self.url, ex_id=ex_id, generation=generation, durability=self.durability
        )

    @contextmanager
    def place(self, ex_id: str) -> Iterator[StorePlace]:
        """Where the store of an execution lies, for somebody who is not the master."""
        with self.places() as place_of:
            yield place_of(ex_id)

    @contextmanager
    def places(self) -> Iterator[Callable[[str], StorePlace]]:
        """The same for many executions."""
        if self.url == SQLITE:
            yield partial(store_path, self.data_dir)
            return
        from sliceworks.master.store.postgres import ReadPool  # noqa: PLC0415
        from sliceworks.master.store.postgres_history import DatabasePlace  # noqa: PLC0415

        pool = ReadPool(self.url)
        try:
            yield lambda ex_id: DatabasePlace(pool, ExId(ex_id))
        finally:
            pool.close()


def state_store(settings: Settings) -> StateStore:
    """The store that the settings name."""
    return StateStore(settings.state.url, settings.data_dir, settings.state.durability)
