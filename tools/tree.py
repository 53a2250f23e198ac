"""Which Python files the checks look at."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("protocol", "operations", "master", "worker", "cli")
CODE = (*ROOMS, "tools", "benchmarks", "deploy")


def python_files(*folders: str, root: Path = ROOT) -> Iterator[Path]:
    """Every `.py` file below `folders` of `root`, in order."""
    for folder in folders:
        yield from sorted((root / folder).rglob("*.py"))


def parse(path: Path) -> ast.Module:
    """The syntax tree of a file; SyntaxError names it."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
