"""`wait`: until executions are over; the exit code says how they ended."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, Literal

import click

from sliceworks.cli.nouns.many import Complaints, Done, Printer, code_of_all
from sliceworks.cli.nouns.options import api_options, duration, quiet_option
from sliceworks.cli.nouns.targets import targets_argument
from sliceworks.cli.output import Style
from sliceworks.protocol.errors import SliceworksError

if TYPE_CHECKING:
    from sliceworks.cli.client import Client, Execution

Noun = Literal["jobs", "ex"]

RUN_EXIT_CODES: Final = {"completed": 0, "failed": 10, "rejected": 10, "stopped": 12, "terminated": 12}
WAIT_TIMED_OUT: Final = 11


def wait_command(noun: Noun, key: str) -> click.Command:
    """`wait`, for jobs or for executions."""

    @click.command("wait")
    @targets_argument(key)
    @duration("--timeout", 'At most so long, such as "30s".  [default: for ever]')
    @quiet_option
    @api_options
    def command(
        *,
        targets: Sequence[str],
        timeout: int | None,
        quiet: bool,
        url: str,
        style: Style,
    ) -> int:
        """Wait until the execution is over.

        Exit code 0: completed; 10: failed or rejected; 12: stopped or terminated; 11: the time is over. A
        master that is being restarted is waited for. Of several, each is printed as it ends; 3: some were
        completed.
        """
        from sliceworks.cli.client.client import call

        seconds = None if timeout is None else timeout / 1000
        waiting = _Waiting(noun, Printer(style, key, quiet), several=len(targets) > 1)
        return code_of_all(call(url, lambda client: waiting.wait(client, targets, seconds)))

    return command


class _Waiting:
    """What is waited for, and how what came of it is told."""

    def __init__(self, noun: Noun, printer: Printer, *, several: bool) -> None:
        self._noun = noun
        self._printer = printer
        self._complaints = Complaints(several=several)

    async def wait(self, client: Client, targets: Sequence[str], seconds: float | None) -> list[int]:
        """The exit code of each."""
        import asyncio

        codes: list[int] = []
        left = dict.fromkeys(targets, "")  # what the person calls it -> ex_id, when that is known
        try:
            async with asyncio.timeout(seconds):
                await self._find(client, left, codes)
                names = {ex_id: target for target, ex_id in left.items()}
                async with aclosing(client.wait_each(names)) as ends:
                    async for execution in ends:
                        left.pop(names[execution.ex_id])
                        codes.append(self._over(execution))
        except TimeoutError:
            codes += [self._timed_out(target, ex_id) for target, ex_id in left.items()]
        return codes

    async def _find(self, client: Client, left: dict[str, str], codes: list[int]) -> None:
        """Which executions are meant; one that does not exist is told at once."""
        for target in tuple(left):
            try:
                left[target] = (await self._execution(client, target)).ex_id
            except SliceworksError as error:
                codes.append(self._complaints.tell(target, error))
                left.pop(target)

    async def _execution(self, client: Client, target: str) -> Execution:
        if self._noun == "jobs":
            return await client.jobs.latest_execution(target)
        return await client.executions.get(target)

    def _over(self, execution: Execution) -> int:
        reason = execution.failure_reason or execution.status_reason
        document = {"ex_id": execution.ex_id, "job_id": execution.job_id, "status": execution.status.value}
        words = f"execution {execution.ex_id} ({execution.name}): {execution.status.value}"
        self._printer.show(
            Done({**document, "reason": reason}, f"{words}: {reason.splitlines()[0]}" if reason else words)
        )
        return RUN_EXIT_CODES[execution.status]

    def _timed_out(self, target: str, ex_id: str) -> int:
        if self._printer.quiet:
            return WAIT_TIMED_OUT
        document = {"ex_id": ex_id or None, self._printer.key: target, "status": "timed out"}
        self._printer.show(Done(document, f"execution {ex_id or f'of {target}'}: not over yet"))
        return WAIT_TIMED_OUT
