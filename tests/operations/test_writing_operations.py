"""The examples of docs/writing-operations.md work: its code is one module, and each test in it passes."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from sliceworks.operations.bundle import AssetPlace, catalog_of, inspect_bundle
from sliceworks.operations.harness import OperationHarness
from sliceworks.operations.registry import ProcessorKind

PAGE = Path(__file__).parents[2] / "docs" / "writing-operations.md"
CODE = "\n".join(
    re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
)

FILES = re.findall(r"^```py\n# (\S+)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def page() -> ModuleType:
    module = ModuleType("writing_operations_page")
    sys.modules[module.__name__] = module  # pydantic looks up the types of options there
    exec(compile(CODE, PAGE.name, "exec"), module.__dict__)
    return module


@pytest.mark.parametrize("name", re.findall(r"^def (test_\w+)", CODE, re.MULTILINE))
def test_examples(page: ModuleType, name: str) -> None:
    getattr(page, name)()


def test_the_bundle_of_the_page(bundle: Callable[..., AssetPlace]) -> None:
    place = bundle(dict(FILES))
    described = inspect_bundle(place.directory, asset_id=place.asset_id, name="voices", version="1.0.0")
    assert [(item.name, item.kind) for item in described.operations] == [("shout", "processor")]
    shout = catalog_of([place]).resolve("shout")
    assert isinstance(shout, ProcessorKind)
    with OperationHarness(shout.processor, {"field": "name", "volume": 2}) as operation:
        assert operation.run([{"name": "oak"}]) == [{"name": "OAK!!"}]
