"""Settings as flags, and what `config show` says of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sliceworks.cli.main import exit_code_of
from sliceworks.protocol.config import setting_keys
from tools import generated, settings_reference
from tools.tree import ROOT


def shown(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, str]]:
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {row["key"]: row for row in rows}


def test_every_key_is_shown_with_its_origin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.toml"
    file.write_text('name = "mine"\n[state]\ndurability = "process"\n')
    monkeypatch.setenv("SLICEWORKS_WORKERS", "3")
    assert exit_code_of(["config", "show", "--config", str(file), "--lease-timeout", "5s"]) == 0
    rows = shown(capsys)
    assert set(rows) == set(setting_keys())
    assert (rows["name"]["value"], rows["name"]["origin"]) == ("mine", str(file))
    assert rows["state.durability"]["value"] == "process"
    assert (rows["workers"]["value"], rows["workers"]["origin"]) == ("3", "SLICEWORKS_WORKERS")
    assert (rows["lease_timeout"]["value"], rows["lease_timeout"]["origin"]) == ("5s", "--lease-timeout")
    assert (rows["port"]["value"], rows["port"]["origin"]) == ("5678", "default")
    assert all(row["meaning"] for row in rows.values())


@pytest.mark.parametrize("command", [["config", "show"], ["master"], ["worker"]])
def test_bad_settings_are_told_all_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    file = tmp_path / "config.toml"
    file.write_text("prot = 1\n")
    assert exit_code_of([*command, "--config", str(file), "--port", "x"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert '"prot" is not a setting, did you mean "port"?' in line
    assert '--port: "port"' in line


def test_every_key_is_a_flag_of_the_daemons(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(["worker", "--help"]) == 0
    told = capsys.readouterr().out
    flags = ["--" + key.replace(".", "-").replace("_", "-") for key in setting_keys()]
    assert [flag for flag in flags if flag not in told] == []


def test_the_reference_page_is_current() -> None:
    assert generated.is_current(ROOT / settings_reference.PAGE, settings_reference.page())


def test_the_flags_are_current() -> None:
    assert generated.is_current(ROOT / settings_reference.FLAGS, settings_reference.flags())
