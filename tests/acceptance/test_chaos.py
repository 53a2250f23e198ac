"""`sliceworks chaos`: a few kills of each sort, and its verdict; nothing is left running."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.commands import command


@pytest.mark.parametrize("arguments", [[], ["--at-most-once"]])
def test_it_kills_and_finds_everything_in_order(tmp_path: Path, arguments: list[str]) -> None:
    orders = ["chaos", "--seed", "5", "--kills", "4", "--workers", "2", "--data-dir", str(tmp_path)]
    with command(*orders, *arguments) as chaos:
        output, errors = chaos.process.communicate(timeout=110)
        assert chaos.process.returncode == 0, errors
        found = json.loads(output)
        assert found["ok"]
        assert found["kills"] == sum(row["all"] for row in found["by_kind"]) == 4
        assert (found["lost"], found["accounted_twice"], found["faults"]) == (0, 0, [])
        assert found.get("begun_twice", 0) == 0
        chaos.wait_until_nothing_is_left()


def test_ctrl_c_ends_it_and_its_cluster(tmp_path: Path) -> None:
    with command("chaos", "--kills", "40", "--data-dir", str(tmp_path)) as chaos:
        assert chaos.process.stderr is not None
        assert "killed twice" in chaos.process.stderr.readline()
        code, _ = chaos.interrupt()
        assert code != 0
        chaos.wait_until_nothing_is_left()
