"""The jobs in `deploy/examples/` and in the README would be accepted, where their files exist."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from sliceworks.operations.validation import validate_job
from sliceworks.protocol.errors import Fault, InvalidError
from tools.tree import ROOT

EXAMPLES = {path.name: path.read_text() for path in (ROOT / "deploy" / "examples").glob("*.json")}
README = {
    f"README {place}": text
    for place, text in enumerate(
        re.findall(r"```json\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    )
}


@pytest.mark.parametrize("text", [*EXAMPLES.values(), *README.values()], ids=[*EXAMPLES, *README])
def test_an_example_is_a_valid_job(text: str) -> None:
    assert [fault for fault in faults_of(json.loads(text)) if "does not exist" not in fault.message] == []


def test_there_are_examples() -> None:
    assert EXAMPLES
    assert README


def faults_of(job: dict[str, Any]) -> tuple[Fault, ...]:
    try:
        validate_job(job)
    except InvalidError as error:
        return error.faults
    return ()
