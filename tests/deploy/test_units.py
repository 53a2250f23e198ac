"""The units, users and example settings are what systemd and the daemons understand."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sliceworks.protocol.config import load_settings

UNITS = ("sliceworks-master.service", "sliceworks-worker.service")
EXECUTABLE = "/opt/sliceworks/bin/sliceworks"


def settings_of(unit: str) -> dict[str, list[str]]:
    """Each setting of a unit, in all its lines."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", unit, re.MULTILINE):
        found.setdefault(name, []).append(value)
    return found


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_analyze_has_nothing_to_say(deploy: Path, tmp_path: Path) -> None:
    for name in UNITS:  # the program is not installed where this runs: any other stands in for it
        text = (deploy / "systemd" / name).read_text().replace(EXECUTABLE, sys.executable)
        (tmp_path / name).write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / name) for name in UNITS)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if "Failed to" in done.stderr and "bus" in done.stderr:
        pytest.skip(f"systemd-analyze cannot run here: {done.stderr}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
@pytest.mark.parametrize("name", UNITS)
def test_the_units_are_not_more_exposed_than_they_were(deploy: Path, name: str) -> None:
    command = ["systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=16"]
    done = subprocess.run(
        [*command, str(deploy / "systemd" / name)], check=False, capture_output=True, text=True
    )
    if "unrecognized option" in done.stderr:
        pytest.skip(f"systemd is too old for an offline analysis: {done.stderr}")
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("systemd-sysusers"), reason="needs root and systemd-sysusers"
)
def test_the_users_are_made(deploy: Path, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    file = deploy / "sysusers.d" / "sliceworks.conf"
    done = subprocess.run(
        ["systemd-sysusers", f"--root={tmp_path}", str(file)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    entries = [line.split(":") for line in (tmp_path / "etc" / "passwd").read_text().splitlines()]
    users = {name: (group, shell) for name, _, _, group, _, _, shell in entries}
    (group,) = (line.split(":")[2] for line in (tmp_path / "etc" / "group").read_text().splitlines())
    assert users == {f"sliceworks-{who}": (group, "/usr/sbin/nologin") for who in ("master", "worker")}


@pytest.mark.parametrize("daemon", ["master", "worker"])
def test_the_example_settings_are_valid_and_each_daemon_has_its_own_folder(deploy: Path, daemon: str) -> None:
    loaded = load_settings(file=deploy / "config" / f"{daemon}.toml", environment={}, flags={})
    unit = settings_of((deploy / "systemd" / f"sliceworks-{daemon}.service").read_text())
    assert (
        str(loaded.settings.data_dir)
        == f"/var/lib/{unit['StateDirectory'][0]}"
        == f"/var/lib/sliceworks/{daemon}"
    )
    assert unit["ExecStart"] == [f"{EXECUTABLE} {daemon} --config /etc/sliceworks/{daemon}.toml"]


@pytest.mark.parametrize(
    ("daemon", "kill_mode"), [("master", "process"), ("worker", "control-group")], ids=["master", "worker"]
)
def test_the_units_say_what_the_daemons_rely_on(deploy: Path, daemon: str, kill_mode: str) -> None:
    unit = settings_of((deploy / "systemd" / f"sliceworks-{daemon}.service").read_text())
    relied_on = {
        "Type": "notify",
        "Restart": "on-failure",
        "StartLimitIntervalSec": "0",
        "KillMode": kill_mode,
        "OOMPolicy": "continue",
        "User": f"sliceworks-{daemon}",
    }
    assert {name: unit[name] for name in relied_on} == {name: [value] for name, value in relied_on.items()}
    assert unit["WatchdogSec"] != ["0"]
    assert "ProcSubset" not in unit, "processes are told apart by /proc/sys/kernel/random/boot_id"
