"""The rig of the machine's tests."""

from __future__ import annotations

import pytest

from tests.master.cluster.rig import Rig


@pytest.fixture
def rig() -> Rig:
    """An empty cluster."""
    return Rig()
