"""What can be done to an execution, by its id or by that of its job, whose latest execution is meant then."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from sliceworks.cli.client.documents import (
    Controller,
    Json,
    LogLevel,
    Slice,
    Started,
    Stopped,
    read,
    read_all,
)
from sliceworks.cli.client.paging import Pages
from sliceworks.cli.client.transport import SILENT_SECONDS, Transport, path_of
from sliceworks.protocol.errors import NotFoundError
from sliceworks.protocol.states import ExecutionStatus

Noun = Literal["jobs", "ex"]


class CleanupType(StrEnum):
    """Which slices a recovery takes up; with one of these it ends after them."""

    ALL = "all"
    ERRORS = "errors"
    PENDING = "pending"


class Steering:
    """The verbs.  Jobs and executions inherit them, for that is how the API has them: twice, and the same."""

    def __init__(self, transport: Transport, noun: Noun) -> None:
        self._transport = transport
        self._noun = noun

    async def stop(
        self,
        target: str,
        *,
        timeout_ms: int | None = None,
        blocking: bool = True,
        force: bool = False,
    ) -> Stopped:
        """End it: slices in hand get `timeout_ms`, none with `force`.

        `blocking`: answers when no process of it is left.  What is over stays as it is.
        """
        query = {"timeout": timeout_ms, "blocking": blocking, "force": force}
        silent_seconds = SILENT_SECONDS + (timeout_ms or 0) / 1000
        path = self._path(target, "_stop")
        answer = await self._transport.send("POST", path, query, silent_seconds=silent_seconds)
        return read(Stopped, answer.body)

    async def pause(self, target: str) -> ExecutionStatus:
        """Dispatch nothing for now."""
        return read(Stopped, await self._transport.post(self._path(target, "_pause"))).status

    async def resume(self, target: str) -> ExecutionStatus:
        """Dispatch again."""
        return read(Stopped, await self._transport.post(self._path(target, "_resume"))).status

    async def recover(self, target: str, cleanup: CleanupType | None = None) -> Started:
        """Start an execution that takes up what this one left."""
        path = self._path(target, "_recover")
        return read(Started, await self._transport.post(path, cleanup_type=cleanup))

    async def add_workers(self, target: str, count: int) -> str:
        """So many more."""
        return await self._workers(target, add=count)

    async def remove_workers(self, target: str, count: int) -> str:
        """So many fewer; InvalidError if none would be left."""
        return await self._workers(target, remove=count)

    async def set_workers(self, target: str, total: int) -> str:
        """So many in all."""
        return await self._workers(target, total=total)

    async def controller(self, target: str) -> Controller:
        """Its controller; NotFoundError while it has none."""
        found = read_all(Controller, await self._transport.get(self._path(target, "controller")))
        if not found:
            message = f"{target} has no controller"
            raise NotFoundError(message)
        return found[0]

    def errors(self, target: str) -> Pages[Slice]:
        """Its slices that failed; of a job: those of all its executions."""
        return Pages(self._transport, self._path(target, "errors"), Slice, key="slice_id")

    async def set_log_level(self, target: str, level: LogLevel) -> Json:
        """What its controller and workers log from now on."""
        answer: Json = await self._transport.post(self._path(target, "_settings"), log_level=level)
        return answer

    async def _workers(self, target: str, **change: int) -> str:
        return str(await self._transport.post(self._path(target, "_workers"), **change))

    def _path(self, target: str, verb: str) -> str:
        return path_of(self._noun, target, verb)
