"""Fails when a file or a function has outgrown its limit.

A file has at most 500 lines, the body of a function at most 40 (its docstring not counted), and a function
takes at most three positional arguments.  What was allowed to be larger stands in `sizes_allowed.txt`, one
`path[:function] what size` a line, with exactly the size it has: an entry that could be lowered or dropped
fails too, so the list only shrinks.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tools.tree import CODE, ROOT, parse, python_files

ALLOWED = ROOT / "tools" / "sizes_allowed.txt"
LIMITS = {"lines": 500, "body": 40, "arguments": 3}

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Size(NamedTuple):
    """One measured thing: `where` is a path, or a path and a function; `what` is a key of LIMITS."""

    where: str
    what: str
    size: int


def measure(path: Path, root: Path = ROOT) -> Iterator[Size]:
    """Everything in a file that has a limit; in tests arguments have none, for they are fixtures."""
    name = path.relative_to(root).as_posix()
    yield Size(name, "lines", len(path.read_text(encoding="utf-8").splitlines()))
    for owner, function in _functions(parse(path), ()):
        where = f"{name}:{'.'.join((*owner, function.name))}"
        yield Size(where, "body", body_lines(function))
        if not name.startswith("tests/"):
            yield Size(where, "arguments", positional_arguments(function))


def body_lines(function: Function) -> int:
    """Lines from the first statement after the docstring to the last."""
    body = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def positional_arguments(function: Function) -> int:
    """How many arguments a caller may give by position, `self` and `cls` not counted."""
    arguments = [*function.args.posonlyargs, *function.args.args]
    own = arguments[:1] and arguments[0].arg in {"self", "cls", "mcs"}
    return len(arguments) - bool(own)


def faults(sizes: list[Size], allowed: dict[tuple[str, str], int]) -> list[str]:
    """What is too large, and which entries of the allow-list no longer say what is."""
    found = {(size.where, size.what): size.size for size in sizes}
    texts = [
        f"{where}: {size} {what}, the limit is {LIMITS[what]}"
        for (where, what), size in found.items()
        if size > max(LIMITS[what], allowed.get((where, what), 0))
    ]
    for (where, what), limit in allowed.items():
        size = found.get((where, what), 0)
        if size <= LIMITS[what]:
            texts.append(f"{ALLOWED.name}: drop {where} {what}, it is within the limit")
        elif size < limit:
            texts.append(f"{ALLOWED.name}: lower {where} {what} to {size}")
    return texts


def read_allowed(path: Path = ALLOWED) -> dict[tuple[str, str], int]:
    """The allow-list: (where, what) -> size."""
    lines = path.read_text(encoding="utf-8").splitlines()
    entries = [line.split() for line in lines if line[:1] not in {"", "#"}]
    return {(where, what): int(size) for where, what, size in entries}


def _functions(node: ast.AST, owner: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Function]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield owner, child
        inner = (*owner, child.name) if isinstance(child, Function | ast.ClassDef) else owner
        yield from _functions(child, inner)


def main() -> int:
    """Print the faults; 1 if there are any."""
    sizes = [size for path in python_files(*CODE, "tests") for size in measure(path)]
    texts = faults(sizes, read_allowed())
    for text in texts:
        print(text, file=sys.stderr)
    return 1 if texts else 0


if __name__ == "__main__":
    sys.exit(main())
