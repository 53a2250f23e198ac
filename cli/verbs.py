"""The commands that `job` and `ex` share: one verb, for an execution or for a job's latest one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import click

from sliceworks.cli.output import Style, output_option, print_document, print_rows

if TYPE_CHECKING:
    from sliceworks.cli.client import Api
    from sliceworks.protocol.states import ExecutionStatus

Command = TypeVar("Command", bound=Callable[..., Any])
Noun = Literal["jobs", "ex"]

DEFAULT_URL: Final = "http://127.0.0.1:5678"
ERROR_COLUMNS: Final = ("slice_id", "slicer_id", "slicer_order", "retry_count", "error")
RUN_EXIT_CODES: Final = {"completed": 0, "failed": 10, "rejected": 10, "stopped": 12, "terminated": 12}
WAIT_TIMED_OUT: Final = 11


def api_options(command: Command) -> Command:
    """Gives a command `--url` and `-o`."""
    url = click.option(
        "--url", envvar="SLICEWORKS_URL", default=DEFAULT_URL, show_default=True, help="Of the master."
    )
    return url(output_option(command))


def add_verbs(group: click.Group, noun: Noun) -> None:
    """Add what can be asked of `noun`."""
    group.add_command(_show(noun))
    for verb in ("pause", "resume"):
        group.add_command(_steer(noun, verb))
    group.add_command(_stop(noun))
    group.add_command(_workers(noun))
    group.add_command(_errors(noun))
    group.add_command(_wait(noun))


def list_command(noun: Noun, columns: tuple[str, ...]) -> click.Command:
    """`list`, with `columns` as the table."""

    @click.command("list", help="List them, the newest change first.")
    @click.option("--size", type=click.IntRange(1, 10_000), default=100, show_default=True, help="At most.")
    @click.option("--sort", help="field:asc|desc, several by comma.")
    @api_options
    def command(*, size: int, sort: str | None, url: str, style: Style) -> None:
        rows = _call(url, lambda api: api.get(f"/{noun}", size=size, sort=sort))
        print_rows(rows, columns, style)

    return command


def _call(url: str, work: Callable[[Api], Any]) -> Any:
    from sliceworks.cli.client import call

    return call(url, work)


def _show(noun: Noun) -> click.Command:
    @click.command("show", help="Print the document.")
    @click.argument("target", metavar="ID")
    @api_options
    def command(*, target: str, url: str, style: Style) -> None:
        print_document(_call(url, lambda api: api.get(f"/{noun}/{target}")), style)

    return command


def _steer(noun: Noun, verb: str) -> click.Command:
    @click.command(verb, help=f"{verb.capitalize()} the execution.")
    @click.argument("target", metavar="ID")
    @api_options
    def command(*, target: str, url: str, style: Style) -> None:
        print_document(_call(url, lambda api: api.post(f"/{noun}/{target}/_{verb}")), style)

    return command


def _stop(noun: Noun) -> click.Command:
    @click.command("stop", help="Stop the execution, and wait until no process of it is left.")
    @click.argument("target", metavar="ID")
    @click.option("--timeout", type=int, help="Milliseconds that slices in hand may take.")
    @click.option("--blocking/--no-blocking", default=True, help="Wait for the end.  [default: blocking]")
    @click.option("--force", is_flag=True, help="Kill at once.")
    @api_options
    def command(
        *,
        target: str,
        timeout: int | None,
        blocking: bool,
        force: bool,
        url: str,
        style: Style,
    ) -> None:
        query = {"timeout": timeout, "blocking": json.dumps(blocking), "force": json.dumps(force)}
        print_document(_call(url, lambda api: api.post(f"/{noun}/{target}/_stop", **query)), style)

    return command


def _workers(noun: Noun) -> click.Command:
    @click.command("workers", help="Change the number of workers: one of --add, --remove, --total.")
    @click.argument("target", metavar="ID")
    @click.option("--add", type=click.IntRange(1), help="So many more.")
    @click.option("--remove", type=click.IntRange(1), help="So many fewer.")
    @click.option("--total", type=click.IntRange(1), help="So many in all.")
    @api_options
    def command(*, target: str, url: str, style: Style, **change: int | None) -> None:
        if sum(number is not None for number in change.values()) != 1:
            message = "give one of --add, --remove, --total"
            raise click.UsageError(message)
        print_document(_call(url, lambda api: api.post(f"/{noun}/{target}/_workers", **change)), style)

    return command


def _errors(noun: Noun) -> click.Command:
    @click.command("errors", help="List the slices in state error.")
    @click.argument("target", metavar="ID")
    @click.option("--size", type=click.IntRange(1, 10_000), default=100, show_default=True, help="At most.")
    @api_options
    def command(*, target: str, size: int, url: str, style: Style) -> None:
        rows = _call(url, lambda api: api.get(f"/{noun}/{target}/errors", size=size))
        print_rows(rows, ERROR_COLUMNS, style)

    return command


def _wait(noun: Noun) -> click.Command:
    @click.command("wait", help="Wait until the execution is over; the exit code says how it ended.")
    @click.argument("target", metavar="ID")
    @click.option("--timeout", default=None, help='At most so long, such as "30s".  [default: for ever]')
    @api_options
    def command(*, target: str, timeout: str | None, url: str, style: Style) -> int:
        seconds = _seconds(timeout)
        ex_id, status = _call(url, lambda api: _wait_for(api, noun, target, seconds=seconds))
        print_document({"ex_id": ex_id, "status": status or "timed out"}, style)
        return RUN_EXIT_CODES[status] if status else WAIT_TIMED_OUT

    return command


def _seconds(timeout: str | None) -> float | None:
    from sliceworks.protocol.durations import duration_ms

    try:
        return None if timeout is None else duration_ms(timeout) / 1000
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--timeout") from error


async def _wait_for(
    api: Api,
    noun: Noun,
    target: str,
    *,
    seconds: float | None,
) -> tuple[str, ExecutionStatus | None]:
    import asyncio

    ex_id = (await api.latest_execution(target))["ex_id"] if noun == "jobs" else target
    try:
        async with asyncio.timeout(seconds):
            return ex_id, await api.wait_until_over(ex_id)
    except TimeoutError:
        return ex_id, None
