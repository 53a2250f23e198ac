"""What a recovery starts from: read before the machine is asked, while nothing else of the job can start.

The executions of a lineage have ended, so what is found here holds until the new one begins.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakValueDictionary

import orjson

from sliceworks.master.store.batch import SlicerRow
from sliceworks.master.store.contract import ClusterStore
from sliceworks.master.store.lineage import Lineage
from sliceworks.master.store.records import StoredExecution
from sliceworks.protocol.errors import ConflictError, InvalidError
from sliceworks.protocol.states import TERMINAL_STATUSES

CLEANUP_TYPES: Final = ("all", "errors", "pending")

RECOVERED: Final = frozenset({"recovered_execution", "recovered_slice_type"})
"""What the document of a recovering execution has beside that of the job."""

_OWN: Final = RECOVERED | {"ex_id", "job_id", "metadata", "_context"}


@dataclass(frozen=True, slots=True)
class Recovery:
    """How an execution is to be recovered."""

    config: dict[str, Any]  # of the new execution
    fields: dict[str, str]  # what its document says of the recovery
    lineage: str  # the ex_id of the first execution


class Recoveries:
    """Looks at lineages."""

    def __init__(self, store: ClusterStore, ask_reader: Callable[[bytes], Awaitable[bool]]) -> None:
        self._store = store
        self._ask_reader = ask_reader
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def alone(self, job_id: str) -> AsyncIterator[None]:
        """Nothing of the job is started by anybody else meanwhile."""
        lock = self._locks.setdefault(job_id, asyncio.Lock())
        async with lock:
            yield

    async def latest(self, job_id: str) -> StoredExecution | None:
        """The execution that a recovery of the job starts from; ConflictError while it runs."""
        latest = (await self._store.latest_executions([job_id])).get(job_id)
        if latest is not None and latest.row.status not in TERMINAL_STATUSES:
            message = f"Job {job_id} is currently running, cannot have the same job concurrently running"
            raise ConflictError(message)
        return latest

    async def prepare(
        self, recovered: StoredExecution, config: dict[str, Any], cleanup_type: str | None
    ) -> Recovery:
        """What a recovery of this execution with this configuration is to be.

        Raises InvalidError if its reader cannot go on where slicing was.
        """
        row = recovered.row
        members = await self._store.lineage(row.ex_id)
        standing = await asyncio.to_thread(Lineage(members, self._store.place).positions)
        has_finished = bool(standing) and all(position.finished for position in standing)
        if not has_finished and not await self._ask_reader(_document(config, recovered)):
            raise InvalidError(_not_recoverable(config, row.ex_id))
        fields = {"recovered_execution": row.ex_id}
        if cleanup_type:
            fields["recovered_slice_type"] = cleanup_type
        return Recovery(_with_slicers(config, standing), fields, row.lineage or row.ex_id)


def config_of(stored: StoredExecution) -> dict[str, Any]:
    """The configuration that an execution was started with."""
    document: dict[str, Any] = orjson.loads(stored.document)
    return {key: value for key, value in document.items() if key not in _OWN}


def _with_slicers(config: dict[str, Any], standing: list[SlicerRow]) -> dict[str, Any]:
    """The number of slicers stays as it was until all have finished: what each one makes depends on it."""
    if not standing or all(position.finished for position in standing):
        return config
    return {**config, "slicers": max(position.slicer_id for position in standing) + 1}


def _document(config: dict[str, Any], recovered: StoredExecution) -> bytes:
    return orjson.dumps({**config, "ex_id": recovered.row.ex_id, "job_id": recovered.row.job_id})


def _not_recoverable(config: dict[str, Any], ex_id: str) -> str:
    reader = config["operations"][0]["_op"]
    return (
        f"execution {ex_id} cannot be recovered: the reader {reader} is not recoverable, and its slicing had "
        "not finished; start the job anew instead"
    )
