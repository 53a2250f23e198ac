"""Fails when a task is started that nobody owns.

Tasks come from a TaskGroup (or the actors' supervisor) and have a name; timers belong to the shells that
feed machines.  So outside the two files that implement this, `gather`, `ensure_future`, `call_later` and
`call_at` are banned, and `create_task` is allowed on a task group only, with `name=`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.tree import ROOMS, ROOT, parse, python_files

EXEMPT = {"protocol/actor.py", "protocol/channel.py"}
BANNED = {"gather", "ensure_future", "call_later", "call_at", "run_coroutine_threadsafe"}


def faults(path: Path, root: Path = ROOT) -> Iterator[str]:
    """One line for each banned call in a file."""
    name = path.relative_to(root).as_posix()
    if name in EXEMPT:
        return
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Call) and (reason := _reason(node)):
            yield f"{name}:{node.lineno}: {reason}"


def _reason(call: ast.Call) -> str:
    function = call.func
    called = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if called in BANNED and not (called == "gather" and not _of_asyncio(function)):
        return f"{called} is banned: use a TaskGroup or an actor"
    if called != "create_task":
        return ""
    if _of_asyncio(function) or _of_loop(function):
        return "create_task outside a TaskGroup is banned"
    named = any(keyword.arg == "name" for keyword in call.keywords)
    return "" if named else "create_task without name="


def _of_asyncio(function: ast.expr) -> bool:
    """`asyncio.f` and a bare `f` imported from it."""
    return isinstance(function, ast.Name) or ast.unparse(getattr(function, "value", function)) == "asyncio"


def _of_loop(function: ast.expr) -> bool:
    owner = ast.unparse(getattr(function, "value", function))
    return owner.endswith(("loop", "loop()"))


def main() -> int:
    """Print the faults; 1 if there are any."""
    texts = [text for path in python_files(*ROOMS) for text in faults(path)]
    for text in texts:
        print(text, file=sys.stderr)
    return 1 if texts else 0


if __name__ == "__main__":
    sys.exit(main())
