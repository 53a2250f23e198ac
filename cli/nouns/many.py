"""One request for each of many ids: what is printed, and the exit code of it all.

Results come in the order of the ids, each as soon as it is there.  An id that fails is told on stderr, and
does not keep the others from being done.  Exit code: 0 if all are done; 3 if some are; otherwise what all
failed with, 1 if they failed differently.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from sliceworks.cli.faults import error_text, exit_code_for
from sliceworks.cli.output import Style, print_document
from sliceworks.protocol.errors import SliceworksError

if TYPE_CHECKING:
    from sliceworks.cli.client import Client

AT_ONCE: Final = 8
PARTLY_DONE: Final = 3
UNREACHABLE: Final = 7


@dataclass(frozen=True, slots=True)
class Done:
    """What came of one id: as a document, and in words for a terminal (None: as a table of its fields)."""

    document: Mapping[str, Any]
    words: str | None = None
    code: int = 0


@dataclass(frozen=True, slots=True)
class Printer:
    """How a command prints what it did."""

    style: Style
    key: str
    """The field with the id."""
    quiet: bool = False

    def show(self, done: Done) -> None:
        """Print one."""
        if self.quiet:
            click.echo(done.document.get(self.key) or "")
        elif self.style is Style.TABLE and done.words is not None:
            click.echo(done.words)
        else:
            print_document(done.document, self.style)


Work = Callable[["Client", str], Awaitable[Done]]


def for_each(
    targets: Sequence[str], work: Work, *, url: str, printer: Printer, at_once: int = AT_ONCE
) -> int:
    """Do `work` for each target, for some at once; returns the exit code."""
    from sliceworks.cli.client.client import call

    async def all_of_them(client: Client) -> list[int]:
        return await _for_each(client, targets, work=work, printer=printer, at_once=at_once)

    return code_of_all(call(url, all_of_them))


def code_of_all(codes: Iterable[int]) -> int:
    """The exit code of many parts."""
    found = set(codes)
    if len(found) <= 1:
        return found.pop() if found else 0
    return PARTLY_DONE if 0 in found else 1


class Complaints:
    """Tells what failed on stderr, the same text once."""

    def __init__(self, *, several: bool) -> None:
        self._several = several
        self._told: set[str] = set()

    def tell(self, target: str, error: SliceworksError) -> int:
        """Print it; returns its exit code."""
        names_it = not self._several or target in str(error) or exit_code_for(error) == UNREACHABLE
        text = error_text(error) if names_it else error_text(error, about=target)
        if text not in self._told:
            self._told.add(text)
            click.echo(text, err=True)
        return exit_code_for(error)


async def _for_each(
    client: Client, targets: Sequence[str], *, work: Work, printer: Printer, at_once: int
) -> list[int]:
    import asyncio

    room = asyncio.Semaphore(at_once)
    complaints = Complaints(several=len(targets) > 1)
    codes: list[int] = []
    failure: BrokenPipeError | None = None

    async def tried(target: str) -> Done | SliceworksError:
        async with room:
            try:
                return await work(client, target)
            except SliceworksError as error:
                return error

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(tried(target), name=f"for {target}") for target in targets]
        try:
            for target, task in zip(targets, tasks, strict=True):
                codes.append(_told(target, await task, printer=printer, complaints=complaints))
        except BrokenPipeError as error:  # raised below as it is, not in the group's envelope
            failure = error
            for task in tasks:
                task.cancel()
    if failure:
        raise failure
    return codes


def _told(target: str, result: Done | SliceworksError, *, printer: Printer, complaints: Complaints) -> int:
    if isinstance(result, SliceworksError):
        return complaints.tell(target, result)
    printer.show(result)
    return result.code
