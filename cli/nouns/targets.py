"""Which jobs, executions or assets a command is about: ids as arguments, or with "-" from stdin.

On stdin an id stands on a line of its own; or a line is a JSON document with the id in it, so that what one
command lists, or `jq` lets through, the next one can take.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def targets_argument(key: str) -> Callable[[Command], Command]:
    """Gives a command `ID...`, as the argument `targets`; `key` is the field of documents that has the id."""

    def targets(context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> list[str]:
        found = list(_all_of(value, key, context))
        if not found and not context.resilient_parsing:
            message = "there is no id on stdin"
            raise click.UsageError(message, ctx=context)
        return list(dict.fromkeys(found))

    return click.argument("targets", metavar="ID...", nargs=-1, required=True, callback=targets)


def _all_of(given: tuple[str, ...], key: str, context: click.Context) -> Iterator[str]:
    for target in given:
        if target == "-" and not context.resilient_parsing:
            yield from _ids_in(sys.stdin, key)
        else:
            yield target


def _ids_in(lines: Iterable[str], key: str) -> Iterator[str]:
    try:
        for number, line in enumerate(lines, start=1):
            text = line.strip()
            if text:
                yield _id_in(text, key, number)
    except UnicodeDecodeError as error:
        message = f"what is on stdin is no text: {error.reason} at byte {error.start}"
        raise click.UsageError(message) from error


def _id_in(line: str, key: str, number: int) -> str:
    if not line.startswith("{"):
        return line
    try:
        found = json.loads(line).get(key)
    except json.JSONDecodeError as error:
        message = f"line {number} of stdin is not JSON: column {error.colno}: {error.msg}"
        raise click.UsageError(message) from error
    if not isinstance(found, str) or not found:
        message = f"line {number} of stdin has no {key}"
        raise click.UsageError(message)
    return found
