"""PostgreSQL's own troubles: restarts, commits of unknown outcome, two masters; and what it refuses.

What every engine promises is in `tests/conformance`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from sliceworks.master.store.batch import Batch, Group, Head
from sliceworks.master.store.engine import StateStore
from sliceworks.master.store.history import read_counts
from sliceworks.master.store.postgres import newest_schema
from sliceworks.master.store.records import AddJob, JobRecord, Page
from sliceworks.master.store.sqlite import open_database
from sliceworks.master.store.verify import verify_execution
from sliceworks.protocol.errors import ConfigError, FencedError, StoreError, StoreUnavailableError
from sliceworks.protocol.messages import SliceCounts
from tests.postgres_server import PostgresServer, embedded_binaries, running

EX_ID = "0b5309f9-35d7-444a-be97-55e4de4aef41"
CONNECTION_ENDS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sliceworks'"
)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with running(embedded_binaries()) as started:
        yield started


@pytest.fixture
def state(server: PostgresServer, tmp_path: Path) -> StateStore:
    return StateStore(server.new_url(), tmp_path, "full")


def batch(number: int, seq: int) -> Batch:
    row = (seq, 0, seq, b"{}", 0, 0, 5, 5, None, None)
    return Batch(
        number, asdict(Head(pending=seq)), [Group(inserts=[row])], [(0, seq, b"{}", None, 0)], [], []
    )


def job(name: str) -> JobRecord:
    return JobRecord(f"id-{name}", name, b"{}", created_ms=1, updated_ms=1)


def pending(state: StateStore) -> int:
    with state.place(EX_ID) as place:
        assert verify_execution(place).ok
        return read_counts(place).pending


class LostAnswers:
    """Lets the next commits happen, and the connection break before anyone hears of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.number = 0
        for block in (psycopg.Transaction, psycopg.Pipeline):
            monkeypatch.setattr(block, "__exit__", self._losing(block.__exit__))

    def _losing(self, end: Callable[..., Any]) -> Callable[..., Any]:
        def end_block(block: psycopg.Transaction | psycopg.Pipeline, *why: Any) -> Any:
            connection = block.connection if isinstance(block, psycopg.Transaction) else block._conn
            handled = end(block, *why)
            committed = connection.info.transaction_status is TransactionStatus.IDLE
            if self.number and committed and why[0] is None:
                self.number -= 1
                message = "the connection broke"
                raise psycopg.OperationalError(message)
            return handled

        return end_block


@pytest.fixture
def lost_answers(monkeypatch: pytest.MonkeyPatch) -> LostAnswers:
    return LostAnswers(monkeypatch)


def test_a_server_that_was_restarted_gets_the_same_batch_again(
    server: PostgresServer, state: StateStore
) -> None:
    store = state.open_execution(EX_ID, generation=1)
    store.apply(batch(1, 1))
    server.stop("immediate")
    with pytest.raises(StoreUnavailableError):
        store.apply(batch(2, 2))
    with pytest.raises(StoreUnavailableError):
        store.load_pending(0, 9)
    server.start()
    store.apply(batch(2, 2))
    assert [row.seq for row in store.load_pending(0, 9)] == [1, 2]
    store.close()
    assert pending(state) == 2


def test_a_commit_nobody_heard_of_is_recognized(state: StateStore, lost_answers: LostAnswers) -> None:
    store = state.open_execution(EX_ID, generation=1)
    lost_answers.number = 1
    with pytest.raises(StoreUnavailableError, match="the connection broke"):
        store.apply(batch(1, 1))
    store.apply(batch(1, 1))
    store.apply(batch(2, 2))
    store.close()
    assert pending(state) == 2


def test_a_batch_that_fails_leaves_nothing(state: StateStore) -> None:
    store = state.open_execution(EX_ID, generation=1)
    broken = batch(1, 1)
    broken.groups[0].inserts *= 2
    with pytest.raises(psycopg.IntegrityError):
        store.apply(broken)
    store.apply(batch(1, 1))
    store.close()
    assert pending(state) == 1


def test_a_store_that_is_read_over_a_restart(server: PostgresServer, state: StateStore) -> None:
    state.open_execution(EX_ID, generation=1).close()
    with state.place(EX_ID) as place:
        assert read_counts(place) == SliceCounts()
        server.stop()
        with pytest.raises(StoreUnavailableError):
            read_counts(place)
        server.start()
        assert read_counts(place) == SliceCounts()


async def test_the_master_waits_for_its_server(server: PostgresServer, state: StateStore) -> None:
    async with state.open_cluster() as store:
        await store.save([AddJob(job("a"))])
        server.stop()
        saved = store.save([AddJob(job("b"))])
        with pytest.raises(StoreUnavailableError):
            await store.job("id-a")
        server.start()
        await saved
        assert store.trouble == ""
        assert [found.name for found in await store.jobs(Page())] == ["b", "a"]


async def test_a_masters_commit_nobody_heard_of_is_not_repeated(
    state: StateStore, lost_answers: LostAnswers
) -> None:
    async with state.open_cluster() as store:
        lost_answers.number = 1
        await store.save([AddJob(job("a"))])
        await store.save([AddJob(job("b"))])
        assert [found.name for found in await store.jobs(Page())] == ["b", "a"]


async def test_a_second_master_is_refused(state: StateStore) -> None:
    async with state.open_cluster() as store:
        with pytest.raises(ConfigError, match="in use by another master"):
            async with state.open_cluster():
                pass
        await store.save([AddJob(job("a"))])


async def test_a_master_that_lost_its_database_to_another_ends(
    server: PostgresServer, state: StateStore
) -> None:
    with pytest.raises(ExceptionGroup) as raised:
        async with state.open_cluster() as old:
            server.execute(CONNECTION_ENDS)
            async with state.open_cluster() as new:
                with pytest.raises(FencedError):
                    await old.save([AddJob(job("old"))])
                await new.save([AddJob(job("new"))])
                assert [found.name for found in await new.jobs(Page())] == ["new"]
    assert raised.group_contains(FencedError)


async def test_a_value_the_database_does_not_take_harms_nobody_else(state: StateStore) -> None:
    async with state.open_cluster() as store:
        too_large = JobRecord("id-x", "x", b"{}", created_ms=2**70, updated_ms=1)
        refused, taken = store.save([AddJob(too_large)]), store.save([AddJob(job("a"))])
        with pytest.raises(StoreError, match="does not take"):
            await refused
        await taken


async def test_a_schema_of_a_newer_version_is_refused_with_both_numbers(
    state: StateStore, server: PostgresServer
) -> None:
    state.open_execution(EX_ID, generation=1).close()
    with psycopg.connect(state.url, autocommit=True) as connection:
        connection.execute("UPDATE sliceworks_schema SET version = 99")
    with pytest.raises(StoreError, match=rf"99.*{newest_schema()}"):
        state.open_execution(EX_ID, generation=2)
    with pytest.raises(StoreError, match=rf"99.*{newest_schema()}"), state.place(EX_ID) as place:
        read_counts(place)


def test_an_address_that_is_none_and_an_empty_database_are_named(
    server: PostgresServer, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"state\.url"):
        StateStore("postgresql://host?nonsense=1", tmp_path, "full").open_execution(EX_ID, generation=1)
    empty = StateStore(server.new_url(), tmp_path, "full")
    with pytest.raises(StoreError, match="holds no state"), empty.place(EX_ID) as place:
        read_counts(place)


@pytest.mark.parametrize(("durability", "setting"), [("full", "on"), ("process", "local")])
def test_durability_is_that_of_the_commit(state: StateStore, durability: Any, setting: str) -> None:
    store = StateStore(state.url, state.data_dir, durability).open_execution(EX_ID, generation=1)
    with store._session.connection() as connection:  # type: ignore[attr-defined]  # of this engine
        assert connection.execute("SHOW synchronous_commit").fetchall() == [{"synchronous_commit": setting}]
    store.close()


def test_both_engines_have_the_same_tables(state: StateStore, tmp_path: Path) -> None:
    """A migration is a step in both; the database adds the key of the execution, and little else."""
    state.open_execution(EX_ID, generation=1).close()
    added = {"ex", "failed_ms", "cluster.generation", "cluster.batch"}
    found = {
        table: {column for column in columns if not {column, f"{table}.{column}"} & added}
        for table, columns in tables_of_database(state.url).items()
    }
    assert found == tables_of_files(tmp_path)


def tables_of_files(folder: Path) -> dict[str, set[str]]:
    """SQLite's, by the names they have in PostgreSQL."""
    found: dict[str, set[str]] = {}
    renamed = {"execution": "execution_heads", "nodes": "execution_nodes"}
    for file, names in (("cluster_schema.sql", {}), ("execution_schema.sql", renamed)):
        with closing(open_database(folder / file, file, "process")) as database:
            for (table,) in database.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table'"
            ).fetchall():
                columns = {row[1] for row in database.execute(f"PRAGMA table_info({table})")}
                found[names.get(table, table)] = columns
    found["execution_heads"].remove("id")
    found["sliceworks_schema"] = {"version"}
    return found


def tables_of_database(url: str) -> dict[str, set[str]]:
    query = (
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
    )
    found: dict[str, set[str]] = {}
    with psycopg.connect(url) as connection:
        for table, column in connection.execute(query).fetchall():
            found.setdefault(table, set()).add(column)
    return found
