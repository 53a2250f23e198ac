"""The examples of docs/writing-operations.md work: its code is one module, and each test in it passes."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "writing-operations.md"
CODE = "\n".join(
    re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
)


@pytest.fixture(scope="module")
def page() -> ModuleType:
    module = ModuleType("writing_operations_page")
    sys.modules[module.__name__] = module  # pydantic looks up the types of options there
    exec(compile(CODE, PAGE.name, "exec"), module.__dict__)
    return module


@pytest.mark.parametrize("name", re.findall(r"^def (test_\w+)", CODE, re.MULTILINE))
def test_examples(page: ModuleType, name: str) -> None:
    getattr(page, name)()
