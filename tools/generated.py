"""A page made from the code: written by `make docs`, and checked to be what the code says now."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from tools.tree import ROOT


def main_of(page: str, text: str) -> int:
    """Write the page; with `--check`: 1 and a line if the file is not `text`."""
    path = ROOT / page
    if "--check" not in sys.argv[1:]:
        path.write_text(text, encoding="utf-8")
        return 0
    return 0 if is_current(path, text) else _stale(page)


def with_table(text: str, name: str, lines: Iterable[str]) -> str:
    """The text with these lines between the marks of a table."""
    begin, end = f"<!-- table {name} -->\n", f"<!-- end {name} -->"
    head, _, rest = text.partition(begin)
    _, _, tail = rest.partition(end)
    return head + begin + "\n".join(lines) + "\n" + end + tail


def is_current(path: Path, text: str) -> bool:
    """Whether the file is what the code says."""
    return path.is_file() and path.read_text(encoding="utf-8") == text


def _stale(page: str) -> int:
    print(f"{page} is not what the code says: run `make docs`", file=sys.stderr)
    return 1
