"""What opening a part of the state raises."""

from __future__ import annotations

from pathlib import Path

import pytest

from sliceworks.master.store.engine import SQLITE, StateStore
from sliceworks.protocol.errors import StoreUnavailableError


def test_a_store_that_cannot_be_opened_now_may_be_later(tmp_path: Path) -> None:
    blocked = tmp_path / "ex" / "abc.db"
    blocked.mkdir(parents=True)
    state = StateStore(SQLITE, tmp_path, "full")
    with pytest.raises(StoreUnavailableError):
        state.open_execution("abc", generation=1)
    blocked.rmdir()
    state.open_execution("abc", generation=1).close()
