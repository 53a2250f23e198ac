"""The node's id is made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from sliceworks.protocol.errors import ConfigError
from sliceworks.worker.identity import node_id_of


def test_it_is_made_once_and_kept(tmp_path: Path) -> None:
    node_id = node_id_of(tmp_path)
    assert node_id_of(tmp_path) == node_id
    assert [path.name for path in tmp_path.iterdir()] == ["node_id"]


def test_each_folder_has_its_own(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert node_id_of(tmp_path / "a") != node_id_of(tmp_path / "b")


@pytest.mark.parametrize("text", ["", "not an id\n"])
def test_a_damaged_one_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "node_id").write_text(text)
    with pytest.raises(ConfigError, match="is damaged"):
        node_id_of(tmp_path)


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be used"):
        node_id_of(tmp_path / "missing")
