"""The examples of docs/client.md work against a cluster."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.acceptance.harness import Cluster
from tests.acceptance.jobs import delay, generated

PAGE = Path(__file__).parents[2] / "docs" / "client.md"
CODE = "\n".join(
    re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
)


@pytest.fixture
def page() -> Iterator[Any]:
    module = ModuleType("client_page")
    sys.modules[module.__name__] = module
    exec(compile(CODE, PAGE.name, "exec"), module.__dict__)
    yield module
    del sys.modules[module.__name__]


async def test_a_job_from_submit_to_end(cluster: Cluster, page: Any) -> None:
    await page.run(cluster.url)
    [newest] = cluster.get("/ex", size=1)
    await page.look(cluster.url, newest["ex_id"])
    await page.lists(cluster.url, newest["ex_id"])


async def test_steering(cluster: Cluster, page: Any) -> None:
    ex_id = cluster.submit(generated(delay(20), size=120, workers=1))
    cluster.wait_completed(ex_id, 1)
    assert not await page.wait_a_little(cluster.url, ex_id)
    await page.steer(cluster.url, cluster.get(f"/ex/{ex_id}")["job_id"])


async def test_mistakes(cluster: Cluster, page: Any) -> None:
    await page.mistakes(cluster.url)


def test_every_function_of_the_page_is_tried() -> None:
    tried = Path(__file__).read_text()
    assert [
        name for name in re.findall(r"^async def (\w+)", CODE, re.MULTILINE) if f"page.{name}(" not in tried
    ] == []
