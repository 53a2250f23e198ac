"""The verbs that jobs and executions share; of a job its latest execution is meant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from sliceworks.cli.nouns.errors import errors_command
from sliceworks.cli.nouns.many import Done, Printer, Work, for_each
from sliceworks.cli.nouns.options import api_options, dry_run_option, quiet_option
from sliceworks.cli.nouns.stopping import stop_command
from sliceworks.cli.nouns.targets import targets_argument
from sliceworks.cli.nouns.waiting import wait_command
from sliceworks.cli.output import Style

if TYPE_CHECKING:
    from sliceworks.cli.client import Client
    from sliceworks.cli.client.steering import Steering

Noun = Literal["jobs", "ex"]

KEYS: Final[dict[Noun, str]] = {"jobs": "job_id", "ex": "ex_id"}
WORDS: Final[dict[Noun, str]] = {"jobs": "job", "ex": "execution"}


def add_verbs(group: click.Group, noun: Noun) -> None:
    """Add what can be done to `noun`."""
    for make in (_pause, _resume, _recover, _workers, _log_level, _controller):
        group.add_command(make(noun))
    group.add_command(stop_command(noun, KEYS[noun], WORDS[noun]))
    group.add_command(errors_command(noun))
    group.add_command(wait_command(noun, KEYS[noun]))


def verb_command(noun: Noun, name: str, *, help_text: str, work: Work) -> click.Command:
    """A verb without options, for many ids."""

    @click.command(name, help=help_text)
    @targets_argument(KEYS[noun])
    @quiet_option
    @api_options
    def command(*, targets: Sequence[str], quiet: bool, url: str, style: Style) -> int:
        return for_each(targets, work, url=url, printer=Printer(style, KEYS[noun], quiet))

    return command


def of(client: Client, noun: Noun) -> Steering:
    """The verbs of this noun."""
    return client.jobs if noun == "jobs" else client.executions


def _pause(noun: Noun) -> click.Command:
    async def work(client: Client, target: str) -> Done:
        status = await of(client, noun).pause(target)
        return Done({KEYS[noun]: target, "status": status.value}, f"{WORDS[noun]} {target}: {status.value}")

    text = "Dispatch nothing for now; what workers have in hand they finish."
    return verb_command(noun, "pause", help_text=text, work=work)


def _resume(noun: Noun) -> click.Command:
    async def work(client: Client, target: str) -> Done:
        status = await of(client, noun).resume(target)
        return Done({KEYS[noun]: target, "status": status.value}, f"{WORDS[noun]} {target}: {status.value}")

    return verb_command(noun, "resume", help_text="Dispatch again after a pause.", work=work)


def _recover(noun: Noun) -> click.Command:
    @click.command("recover")
    @targets_argument(KEYS[noun])
    @click.option(
        "--cleanup",
        type=click.Choice(["all", "errors", "pending"]),
        help="End after these: all that was not completed, what failed, or what was not finished.",
    )
    @quiet_option
    @api_options
    def command(*, targets: Sequence[str], cleanup: str | None, quiet: bool, url: str, style: Style) -> int:
        """Start an execution that takes up what the last one left.

        Without --cleanup the slicers go on where they were, after the slices that are left.
        """
        from sliceworks.cli.client.steering import CleanupType

        kind = CleanupType(cleanup) if cleanup else None

        async def work(client: Client, target: str) -> Done:
            started = await of(client, noun).recover(target, kind)
            return Done(started.document, f"{WORDS[noun]} {target}: recovered by execution {started.ex_id}")

        return for_each(targets, work, url=url, printer=Printer(style, KEYS[noun], quiet))

    return command


def _workers(noun: Noun) -> click.Command:
    @click.command("workers")
    @targets_argument(KEYS[noun])
    @click.option("--add", type=click.IntRange(1), metavar="N", help="So many more.")
    @click.option("--remove", type=click.IntRange(1), metavar="N", help="So many fewer.")
    @click.option("--total", type=click.IntRange(1), metavar="N", help="So many in all.")
    @dry_run_option
    @api_options
    def command(
        *,
        targets: Sequence[str],
        dry_run: bool,
        url: str,
        style: Style,
        **change: int | None,
    ) -> int:
        """Change the number of workers: one of --add, --remove, --total.

        Workers that are removed finish the slice in hand, or hand it back.
        """
        given = [(name, count) for name, count in change.items() if count is not None]
        if len(given) != 1:
            message = "give one of --add, --remove, --total"
            raise click.UsageError(message)
        work = _change_workers(noun, *given[0], dry_run=dry_run)
        return for_each(targets, work, url=url, printer=Printer(style, KEYS[noun]))

    return command


def _change_workers(noun: Noun, change: str, count: int, *, dry_run: bool) -> Work:
    async def work(client: Client, target: str) -> Done:
        verbs = of(client, noun)
        verb: Callable[[str, int], Any] = {
            "add": verbs.add_workers,
            "remove": verbs.remove_workers,
            "total": verbs.set_workers,
        }[change]
        message = await verb(target, count)
        return Done({KEYS[noun]: target, "message": message}, message)

    async def only_said(client: Client, target: str) -> Done:
        ex = await (client.jobs.latest_execution(target) if noun == "jobs" else client.executions.get(target))
        after = {"add": ex.workers + count, "remove": ex.workers - count, "total": count}[change]
        words = f"execution {ex.ex_id}: would have {after} workers instead of {ex.workers}"
        return Done({KEYS[noun]: target, "dry_run": True, "workers": ex.workers, "would_have": after}, words)

    return only_said if dry_run else work


def _log_level(noun: Noun) -> click.Command:
    @click.command("log-level")
    @click.argument("target", metavar="ID")
    @click.argument("level", type=click.Choice(["trace", "debug", "info", "warn", "error", "fatal"]))
    @api_options
    def command(*, target: str, level: str, url: str, style: Style) -> int:
        """Set what the controller and the workers log, until the execution ends."""
        from sliceworks.cli.client.documents import LogLevel

        async def work(client: Client, target: str) -> Done:
            answer = await of(client, noun).set_log_level(target, LogLevel(level))
            return Done(answer, f"{WORDS[noun]} {target}: logs {level} from now on")

        return for_each([target], work, url=url, printer=Printer(style, KEYS[noun]))

    return command


def _controller(noun: Noun) -> click.Command:
    async def work(client: Client, target: str) -> Done:
        return Done((await of(client, noun).controller(target)).document)

    text = "Print what its controller counts; 4: it has none now."
    return verb_command(noun, "controller", help_text=text, work=work)
