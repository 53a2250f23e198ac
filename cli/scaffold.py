"""What `sliceworks new operation` writes: the files of `cli/templates/`, with names in them."""

from __future__ import annotations

import keyword
import re
import sys
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template
from typing import Final

from sliceworks.protocol.errors import ConflictError, InvalidError

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,79}")
_TAKEN: Final = frozenset({"sliceworks", "tests", "test", "setup", "conftest", "pydantic", "annotated_types"})
_SOURCES: Final = {
    "processor": {"schema.py": "processor_schema.py", "processor.py": "processor.py"},
    "reader": {"schema.py": "reader_schema.py", "slicer.py": "slicer.py", "fetcher.py": "fetcher.py"},
    "api": {"schema.py": "api_schema.py", "api.py": "api.py"},
}
_MEANINGS: Final = {
    "schema.py": "the options that a job can give it",
    "processor.py": "what it does with records",
    "slicer.py": "which slices there are",
    "fetcher.py": "how a slice is read",
    "api.py": "what operations share",
}
_DESCRIPTIONS: Final = {
    "processor": "Makes a text upper case.",
    "reader": "Reads numbers.",
    "api": "Gives numbers to operations.",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What to write."""

    name: str
    kind: str

    @property
    def title(self) -> str:
        """The name of its class."""
        return "".join(part[:1].upper() + part[1:] for part in self.name.split("_"))

    def files(self) -> dict[str, str]:
        """Path in the bundle -> template."""
        sources = {f"{self.name}/{file}": template for file, template in _SOURCES[self.kind].items()}
        return {
            "README.md": "readme.md",
            "asset.json": "asset.json",
            "job.json": f"{self.kind}_job.json",
            f"{self.name}/__init__.py": "init.py",
            **sources,
            "tests/__init__.py": "tests_init.py",
            f"tests/test_{self.name}.py": f"{self.kind}_test.py",
        }

    def words(self) -> dict[str, str]:
        """What stands in the templates."""
        sources = _SOURCES[self.kind]
        files = [f"| `{self.name}/{file}` | {_MEANINGS[file]} |" for file in sources]
        return {
            "name": self.name,
            "title": self.title,
            "kind": self.kind,
            "kind_words": "operation API" if self.kind == "api" else self.kind,
            "description": _DESCRIPTIONS[self.kind],
            "files": "\n".join(files),
        }


def write_bundle(plan: Plan, folder: Path) -> list[str]:
    """Write all files, and return their paths; nothing is written unless everything can be.

    InvalidError for a name that cannot be one; ConflictError if there is something in `folder`.
    """
    check_name(plan.name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        message = f"{folder} is there already: name another folder with --dir"
        raise ConflictError(message)
    texts = {path: _text(template, plan) for path, template in plan.files().items()}
    for path, text in texts.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return list(texts)


def check_name(name: str) -> None:
    """InvalidError if no operation can have this name, or something else has it."""
    from sliceworks.operations.registry import OPERATIONS

    if not _NAME.fullmatch(name):
        message = f"{name!r} cannot be the name of an operation: begin with a-z, go on with a-z, 0-9 and _"
    elif keyword.iskeyword(name) or name in sys.stdlib_module_names or name in _TAKEN:
        message = f"{name!r} cannot be the name of an operation: Python has something of this name"
    elif name in OPERATIONS:
        message = f"{name!r} is the name of a built-in operation: take another one"
    else:
        return
    raise InvalidError(message)


def _text(template: str, plan: Plan) -> str:
    source = resources.files("sliceworks.cli").joinpath("templates", f"{template}.txt")
    return Template(source.read_text(encoding="utf-8")).substitute(plan.words())
