"""Executions, and their slices."""

from __future__ import annotations

from collections.abc import Iterable

from sliceworks.cli.client.documents import Counts, Execution, Slice, read
from sliceworks.cli.client.paging import Pages
from sliceworks.cli.client.steering import Steering
from sliceworks.cli.client.transport import Transport, path_of


class Executions(Steering):
    """Runs of jobs."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport, "ex")

    def list(self, *, status: Iterable[str] = (), deleted: bool | None = None) -> Pages[Execution]:
        """Executions, of these statuses or of all; `deleted`: only those that are."""
        statuses = ",".join(status) or None
        return Pages(self._transport, "/ex", Execution, key="ex_id", status=statuses, deleted=deleted)

    async def get(self, ex_id: str) -> Execution:
        """One execution."""
        return read(Execution, await self._transport.get(path_of("ex", ex_id)))

    def slices(self, ex_id: str, *, state: str | None = None) -> Pages[Slice]:
        """Its slices, in one state or in any."""
        return Pages(self._transport, path_of("ex", ex_id, "slices"), Slice, key="slice_id", state=state)

    async def counts(self, ex_id: str) -> Counts:
        """Its slices by state."""
        return read(Counts, await self._transport.get(path_of("ex", ex_id, "slices", "_count")))

    def all_errors(self) -> Pages[Slice]:
        """The slices of all executions that failed."""
        return Pages(self._transport, "/ex/errors", Slice, key="slice_id")
