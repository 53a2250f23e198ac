"""Waiting for executions to end, without asking more often than is of use.

The API cannot be waited on, so it is asked: soon at first, then once a second, all executions in turn and
never two at once.  A master that goes away meanwhile (it is being restarted, say) is waited for, for
`PATIENCE_SECONDS`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from sliceworks.cli.client.documents import Execution
from sliceworks.cli.client.executions import Executions
from sliceworks.protocol.errors import UnavailableError

FIRST_SECONDS: Final = 0.05
LONGEST_SECONDS: Final = 1.0
GROWTH: Final = 1.5
PATIENCE_SECONDS: Final = 60.0


async def ends(executions: Executions, ex_ids: Iterable[str]) -> AsyncGenerator[Execution, None]:
    """Each of the executions when it is over, in the order in which they end."""
    left = list(dict.fromkeys(ex_ids))
    wait = FIRST_SECONDS
    patience = Patience()
    while left:
        for ex_id in tuple(left):
            execution = None
            with patience.bearing():
                execution = await executions.get(ex_id)
            if execution is not None and execution.is_over:
                left.remove(ex_id)
                yield execution
        if left:
            await asyncio.sleep(wait)
        wait = min(wait * GROWTH, LONGEST_SECONDS)


class Patience:
    """Bears a master that does not answer, once it has answered, for a while."""

    def __init__(self) -> None:
        self._answered: float | None = None

    @contextmanager
    def bearing(self) -> Iterator[None]:
        """Around requests: UnavailableError ends the block; it goes further if it has lasted too long."""
        try:
            yield
        except UnavailableError:
            if self._answered is None or time.monotonic() - self._answered > PATIENCE_SECONDS:
                raise
        else:
            self._answered = time.monotonic()
