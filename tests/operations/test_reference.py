"""The reference page."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sliceworks.operations.reference import reference
from sliceworks.operations.registry import OPERATIONS

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"


def test_the_page_is_what_the_schemas_say() -> None:
    assert PAGE.read_text() == reference(), (
        "run: python -m sliceworks.operations.reference > docs/operations.md"
    )


def test_every_operation_and_option_is_on_it() -> None:
    page = reference()
    for kind in OPERATIONS.values():
        assert f"## {kind.name}\n" in page
        for option, field in kind.options.model_fields.items():
            assert f"| `{option}` |" in page
            assert field.description


def test_it_is_printed() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "sliceworks.operations.reference"],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(PAGE.parents[1] / ".dev")},
    )
    assert ended.stdout == reference()
