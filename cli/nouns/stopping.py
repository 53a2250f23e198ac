"""`stop`, and what `--dry-run` says of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import click

from sliceworks.cli.nouns.many import Done, Printer, Work, for_each
from sliceworks.cli.nouns.options import api_options, dry_run_option, duration, quiet_option
from sliceworks.cli.nouns.targets import targets_argument
from sliceworks.cli.output import Style

if TYPE_CHECKING:
    from sliceworks.cli.client import Client

Noun = Literal["jobs", "ex"]


def stop_command(noun: Noun, key: str, word: str) -> click.Command:
    """`stop`, for jobs or for executions."""

    @click.command("stop")
    @targets_argument(key)
    @duration("--timeout", 'Slices in hand may take so long, such as "30s".  [default: shutdown_timeout]')
    @click.option("--blocking/--no-blocking", default=True, help="Wait for the end.  [default: blocking]")
    @click.option("--force", is_flag=True, help="Kill at once; slices in hand go back.")
    @dry_run_option
    @quiet_option
    @api_options
    def command(
        *,
        targets: Sequence[str],
        timeout: int | None,
        blocking: bool,
        force: bool,
        dry_run: bool,
        quiet: bool,
        url: str,
        style: Style,
    ) -> int:
        """Stop the execution, and wait until no process of it is left.

        What is over stays as it is, and is no error. `recover` takes up what is left.
        """

        async def work(client: Client, target: str) -> Done:
            verbs = client.jobs if noun == "jobs" else client.executions
            stopped = await verbs.stop(target, timeout_ms=timeout, blocking=blocking, force=force)
            return Done({key: target, **stopped.document}, f"{word} {target}: {stopped.status.value}")

        chosen = _only_said(noun, key, force=force) if dry_run else work
        return for_each(targets, chosen, url=url, printer=Printer(style, key, quiet))

    return command


def _only_said(noun: Noun, key: str, *, force: bool) -> Work:
    async def work(client: Client, target: str) -> Done:
        execution = await (
            client.jobs.latest_execution(target) if noun == "jobs" else client.executions.get(target)
        )
        counts = await client.executions.counts(execution.ex_id)
        would = "nothing" if execution.is_over else "kill" if force else "stop"
        document = {
            key: target,
            "dry_run": True,
            "would": would,
            "status": execution.status.value,
            "slices_in_hand": counts.start,
            "slices_pending": counts.pending,
        }
        words = f"execution {execution.ex_id} ({execution.name}) is {execution.status.value}: "
        rest = f"would {would} it, with {counts.start} slices in hand and {counts.pending} pending"
        return Done(document, words + ("nothing would happen" if execution.is_over else rest))

    return work
