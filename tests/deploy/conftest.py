"""Where the files for operators are."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def deploy() -> Path:
    """The folder `deploy/`."""
    return Path(__file__).parents[2] / "deploy"
