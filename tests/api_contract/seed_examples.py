"""Reads the seed document: every curl line, and what it shows as the answer.

`seed.txt` is the document as it was given; `seed_repairs.txt` lists each line that is read otherwise.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{40}")


@dataclass(frozen=True)
class Example:
    """One curl line; ids in its path are `{id}`."""

    line: int
    method: str
    path: str
    headers: dict[str, str]
    body: str  # the name of the file that is sent, or ""
    shown: str

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def json(self) -> Any:
        return json.loads(self.shown)


def read_examples() -> list[Example]:
    """All curl lines, in order."""
    lines = _repaired((FOLDER / "seed.txt").read_text().splitlines())
    return [
        _example(number, line, lines[number:])
        for number, line in enumerate(lines, 1)
        if line.startswith("$ curl")
    ]


def _repaired(lines: list[str]) -> list[str]:
    for repair in (FOLDER / "seed_repairs.txt").read_text().splitlines():
        if not repair.startswith("#"):
            number, _, change = repair.partition(": ")
            old, _, new = change.partition(" => ")
            if lines[int(number) - 1] != old:
                raise ValueError(repair)
            lines[int(number) - 1] = new
    return lines


def _example(number: int, line: str, following: list[str]) -> Example:
    method, body, url = "", "", ""
    headers: dict[str, str] = {}
    words = iter(shlex.split(line.removeprefix("$ curl")))
    for word in words:
        match word[:2], word:
            case "-X", _:
                method = word[2:]
            case _, "-H":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            case "-d", _:
                body = word[2:]
                headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
            case _, "--data-binary":
                body = next(words)
            case _, "-sS":
                pass
            case _:
                url = word
    path = "/" + url.removeprefix("http://").partition("/")[2]
    path, shown = _ID.sub("{id}", path), _shown(following)
    return Example(number, method or "GET", path, headers, body.removeprefix("@"), shown)


def _shown(lines: list[str]) -> str:
    """A JSON value, which ends where its brackets do, or the lines of metrics."""
    if lines[0].startswith('"'):
        return lines[0]
    if lines[0].startswith("#"):
        end = next(place for place, line in enumerate(lines) if not line.startswith(("#", "teraslice_")))
        return "\n".join(lines[:end])
    depth = 0
    for place, line in enumerate(lines, 1):
        depth += sum(line.count(bracket) for bracket in "{[") - sum(line.count(bracket) for bracket in "}]")
        if depth == 0:
            return "\n".join(lines[:place])
    raise ValueError(lines[0])
