"""What a route promises to those who do not read its code: the source of `/openapi.json`.

A description stands beside its route.  Answers and bodies are described by Python types, from which schemas
are made; a test calls every route, and compares its answers and the options it reads with what stands here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

Shape: TypeAlias = Any  # a type that pydantic makes a schema of: a TypedDict, list[...], str, a union
Schema: TypeAlias = dict[str, Any]  # JSON schema

JSON: Final = "application/json"
_SORT_PART: Final = r"\s*({fields})(:(asc|desc)?)?\s*"


@dataclass(frozen=True, slots=True)
class Option:
    """One query option."""

    name: str
    about: str
    schema: Schema
    required: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer other than the usual one."""

    shape: Shape
    status: int = 200
    media: str = JSON


@dataclass(frozen=True, slots=True)
class About:
    """A route as its clients see it; the first line of the handler's docstring is its summary.

    The errors 400 (with options or a body), 413 (with a body), 500 and 503 need not be named.
    """

    tag: str
    answer: Shape
    options: tuple[Option, ...] = ()
    body: Shape = None
    errors: tuple[int, ...] = ()
    media: str = JSON
    body_media: str = JSON
    also: tuple[Answer, ...] = ()


def text(name: str, about: str) -> Option:
    """Any text."""
    return Option(name, about, {"type": "string"})


def number(
    name: str, about: str, *, default: int | None = None, at_least: int = 0, at_most: int | None = None
) -> Option:
    """A whole number; an empty option counts as none."""
    most = {} if at_most is None else {"maximum": at_most}
    usual = {} if default is None else {"default": default}
    number_or_none = [{"type": "integer", "minimum": at_least, **most}, {"const": ""}]
    return Option(name, about, {"anyOf": number_or_none, **usual})


def one_of(name: str, about: str, *choices: str, default: str | None = None) -> Option:
    """One of some texts; an empty option counts as none."""
    given = {} if default is None else {"default": default}
    return Option(name, about, {"type": "string", "enum": [*choices, ""], **given})


def yes_or_no(name: str, about: str, *, default: str) -> Option:
    """`true` or `false`."""
    return one_of(name, about, "true", "false", default=default)


def must(option: Option) -> Option:
    """The option has to be given, and not empty."""
    choices = {"enum": [choice for choice in option.schema["enum"] if choice]}
    return replace(option, schema={**option.schema, **choices}, required=True)


def some_of(name: str, about: str, choices: Iterable[str]) -> Option:
    """A list, parted by commas; what is none of the choices selects nothing."""
    return Option(name, f"{about}: a list, parted by commas, of {', '.join(choices)}", {"type": "string"})


def page(sortable: Collection[str], *, default: str = "") -> tuple[Option, ...]:
    """Which part of a list, and in which order."""
    fields = sorted(sortable)
    part = _SORT_PART.format(fields="|".join(map(re.escape, fields)))
    order: Schema = {"type": "string", "pattern": f"^({part}(,{part})*)?$", "default": default}
    return (
        number("size", "how many at most", default=100, at_most=10_000),
        number("from", "how many to leave out before; with size at most 10000", default=0),
        Option(
            "sort", f"`field:asc` or `field:desc`, several parted by commas, of {', '.join(fields)}", order
        ),
    )


DELETED: Final = one_of("deleted", "`true` or empty: only deleted ones", "true", "false", default="false")
FILTER: Final = text(
    "filter", "Lucene syntax over the fields: terms, phrases, ranges, wildcards, AND, OR, NOT"
)
