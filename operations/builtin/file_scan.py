"""Which files a reader reads, in an order that never changes: that of the parts of their paths.

A path is a file, a folder (all files below it) or a glob (`*`, `?`, `[...]`, and `**` for folders of any
depth; a folder that matches stands for all files below it).  As in a shell, names that begin with a dot are
left out unless the path names them: they are what programs write before a file is whole.  Links below a
folder are not followed unless the path names them, so that nothing is read twice or for ever.

An exclude glob without a slash is compared with each name below the part of the path without magic; one
with a slash with whole paths, `*` then matches slashes too.  An excluded folder excludes all that is in it.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, TypeAlias

_MAGIC: Final = "*?["
_ANY_DEPTH: Final = "**"

_Patterns: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file as it was when it was found."""

    path: str
    size: int
    modified_ns: int


def order_key(path: str) -> tuple[str, ...]:
    """What files are sorted by."""
    return Path(path).parts


def find_files(paths: Sequence[str], exclude: Sequence[str]) -> Iterator[FoundFile]:
    """All files, each once, in order; a path that is not there gives none.  May raise OSError."""
    rules = [_rule(pattern) for pattern in exclude]
    merged = heapq.merge(*(_find(path, rules) for path in paths), key=order_key)
    previous = ""
    for path in merged:
        file = _found(path) if path != previous else None
        if file:
            yield file
        previous = path


def what_is_wrong_with(path: str) -> str | None:
    """Why nothing can be found at a path (of a glob: its part without magic); None if all is well."""
    try:
        base, _ = _split(path)
        with os.scandir(base) if Path(base).is_dir() else Path(base).open("rb"):
            return None
    except (OSError, ValueError) as error:
        reason = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read: {error}"
        return f"{path} {reason}"


def _find(path: str, rules: list[str]) -> Iterator[str]:
    """The paths of all files that one path stands for, in order."""
    base, patterns = _split(path)
    if patterns:
        return _walk(base, _closed({patterns}), rules)
    if Path(base).is_dir():
        return _walk(base, _closed({(_ANY_DEPTH,)}), rules)
    return iter([] if _is_excluded(base, rules) else [base])


def _split(path: str) -> tuple[str, _Patterns]:
    """The absolute part before the first magic, and the patterns after it; a path that exists has none."""
    absolute = Path(os.path.normpath(Path(path).absolute()))
    parts = absolute.parts
    magic = next((i for i, part in enumerate(parts) if any(sign in part for sign in _MAGIC)), len(parts))
    if magic == len(parts) or absolute.exists():
        return str(absolute), ()
    return str(Path(*parts[:magic])), parts[magic:]


def _walk(folder: str, states: set[_Patterns], rules: list[str]) -> Iterator[str]:
    """The files below a folder that lead to the end of a pattern; `states`: what is left of the patterns."""
    try:
        with os.scandir(folder) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    for entry in ordered:
        left = _closed(_advanced(states, entry.name, is_link=entry.is_symlink()))
        if not left or _is_excluded(entry.path, rules):
            continue
        if entry.is_dir():
            yield from _walk(entry.path, {patterns or (_ANY_DEPTH,) for patterns in left}, rules)
        elif () in left:
            yield entry.path


def _advanced(states: set[_Patterns], name: str, *, is_link: bool) -> set[_Patterns]:
    """What is left of the patterns after this name."""
    left = set()
    for patterns in states:
        head = patterns[0] if patterns else ""
        if head == _ANY_DEPTH:
            if not is_link and not name.startswith("."):
                left.add(patterns)
        elif head and fnmatchcase(name, head) and (head.startswith(".") or not name.startswith(".")):
            left.add(patterns[1:])
    return left


def _closed(states: set[_Patterns]) -> set[_Patterns]:
    """With the states that are reached because `**` may stand for nothing."""
    closed = set(states)
    for patterns in states:
        rest = patterns
        while rest and rest[0] == _ANY_DEPTH:
            rest = rest[1:]
            closed.add(rest)
    return closed


def _rule(pattern: str) -> str:
    is_free = os.sep not in pattern or pattern.startswith((os.sep, _ANY_DEPTH))
    return pattern if is_free else f"*{os.sep}{pattern}"


def _is_excluded(path: str, rules: list[str]) -> bool:
    name = path.rpartition(os.sep)[2]
    return any(fnmatchcase(path if os.sep in rule else name, rule) for rule in rules)


def _found(path: str) -> FoundFile | None:
    """The file as it is now; None if it is gone, or no regular file."""
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        return None
    if not Path(path).is_file():
        return None
    return FoundFile(path, status.st_size, status.st_mtime_ns)
