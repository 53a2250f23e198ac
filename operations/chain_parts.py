"""All that a chain is made of: the operations of a job, and the APIs and observers beside them.

They are made together, initialized in an order that lets operations rely on APIs (APIs and observers as the
job lists them, then the operations), and shut down the other way round, but operations in their own order:
what an operation gives at its end may go through the ones after it.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sliceworks.operations.apis import Apis
from sliceworks.operations.base import WorkerOperation
from sliceworks.operations.operation_api import Companion, Observer, OperationAPI

DEAD_LETTER_ACTIONS: Final = ("throw", "log", "none")


@dataclass(frozen=True, slots=True)
class ChainParts:
    """What one chain is made of."""

    operations: list[WorkerOperation]
    apis: Sequence[Companion]
    access: Apis

    @property
    def names(self) -> list[str]:
        """The names of all parts: operations in order, then APIs and observers."""
        return [part.operation_spec.op for part in (*self.operations, *self.apis)]

    async def start(self) -> None:
        """Initialize all parts.

        Raises what the author's code raises, with a note that names the part; those that were initialized
        before it are shut down.
        """
        started: list[WorkerOperation] = []
        for part in (*self.apis, *self.operations):
            try:
                await self._start_one(part)
            except BaseException as error:
                error.add_note(f"while {_noun(part)} {part.operation_spec.op} was initialized")
                await shut_down([*self.operations, *reversed(self.apis)], only=started)
                raise
            started.append(part)

    async def stop(self) -> list[Exception]:
        """Shut all parts down; the errors of those that could not."""
        return await shut_down([*self.operations, *reversed(self.apis)])

    async def _start_one(self, part: WorkerOperation) -> None:
        action = part.operation_spec.dead_letter_action
        if action not in DEAD_LETTER_ACTIONS:
            self.access.check_dead_letter(action)
        await settled(part.initialize())
        if isinstance(part, OperationAPI):
            self.access.add(part.api_name, await settled(part.create_api()))


async def settled(answer: Any) -> Any:
    """The answer of a method, be it `def` or `async def`."""
    return await answer if inspect.isawaitable(answer) else answer


async def shut_down(
    parts: list[WorkerOperation], *, only: list[WorkerOperation] | None = None
) -> list[Exception]:
    """Shut parts down in this order (`only` those, if given); the errors of those that could not."""
    errors: list[Exception] = []
    for part in parts:
        if only is not None and part not in only:
            continue
        try:
            await settled(part.shutdown())
        except Exception as error:  # noqa: BLE001 - the author's code: the others are shut down all the same
            errors.append(error)
    return errors


def _noun(part: WorkerOperation) -> str:
    if isinstance(part, Observer):
        return "observer"
    return "API" if isinstance(part, OperationAPI) else "operation"
