"""The layers of settings, and what is said of every key and value that is wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from sliceworks.protocol.config import (
    LoadedSettings,
    PortRange,
    Settings,
    describe,
    load_settings,
    setting_keys,
)
from sliceworks.protocol.errors import ConfigError

NO_DURATION = (
    '"action_timeout" must be a whole number of milliseconds or a text such as "30s" or "5 minutes",'
    " got '5 weeks'"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sliceworks.toml"


def load(file: Path | None = None, environment: dict[str, str] | None = None, **flags: Any) -> LoadedSettings:
    return load_settings(file=file, environment=environment or {}, flags=flags)


def test_the_defaults() -> None:
    settings = load().settings
    assert (settings.name, settings.hostname, settings.bind) == ("teracluster", "127.0.0.1", "127.0.0.1")
    assert (settings.port, settings.master_hostname) == (5678, "127.0.0.1")
    assert settings.workers >= 1
    assert (settings.action_timeout, settings.network_latency_buffer) == (120_000, 15_000)
    assert (settings.node_disconnect_timeout, settings.node_state_interval) == (300_000, 5_000)
    assert (settings.shutdown_timeout, settings.lease_timeout) == (60_000, 30_000)
    assert (settings.slicer_timeout, settings.worker_disconnect_timeout) == (0, 0)
    assert settings.slicer_port_range == PortRange(45_679, 46_678)
    assert (settings.analytics_rate, settings.api_response_timeout) == (60_000, 300_000)
    assert (settings.state.url, settings.state.durability) == ("sqlite", "full")
    assert settings.state.keep_completed == 7 * 86_400_000
    assert (settings.log_level, settings.log_format) == ("info", "auto")
    assert settings == Settings()


def test_later_layers_count_and_their_origin_is_kept(file: Path) -> None:
    file.write_text('port = 1\nname = "file"\nworkers = 1\n[state]\ndurability = "process"\n')
    loaded = load(file, {"SLICEWORKS_PORT": "2", "SLICEWORKS_WORKERS": "2", "PATH": "x"}, port=3, bind=None)
    assert (loaded.settings.name, loaded.settings.workers, loaded.settings.port) == ("file", 2, 3)
    assert loaded.settings.state.durability == "process"
    assert {key: origin for key, origin in loaded.origins.items() if origin != "default"} == {
        "name": str(file),
        "workers": "SLICEWORKS_WORKERS",
        "port": "--port",
        "state.durability": str(file),
    }


def test_nested_keys_in_environment_and_flags() -> None:
    loaded = load(None, {"SLICEWORKS_STATE__URL": "postgresql://db/x"}, state_durability="process")
    assert loaded.settings.state.url == "postgresql://db/x"
    assert loaded.origins["state.url"] == "SLICEWORKS_STATE__URL"
    assert loaded.origins["state.durability"] == "--state-durability"
    dotted = load_settings(file=None, environment={}, flags={"state.keep_completed": "1d"})
    assert dotted.settings.state.keep_completed == 86_400_000


def test_variables_with_another_use_are_no_settings() -> None:
    others = {"SLICEWORKS_URL": "http://elsewhere", "SLICEWORKS_NODE": "node:1"}
    assert load(None, others).settings == Settings()


def test_times_are_numbers_or_texts(file: Path) -> None:
    file.write_text('lease_timeout = "45s"\nshutdown_timeout = 1500\n')
    settings = load(file, {"SLICEWORKS_ACTION_TIMEOUT": "5000"}).settings
    assert (settings.lease_timeout, settings.shutdown_timeout) == (45_000, 1_500)
    assert settings.action_timeout == 5_000


def test_folders_follow_the_data_dir_unless_they_are_set(tmp_path: Path) -> None:
    settings = load(data_dir=str(tmp_path)).settings
    assert (settings.assets_directory, settings.autoload_directory) == (
        tmp_path / "assets",
        tmp_path / "autoload",
    )
    assert load(data_dir=tmp_path, assets_directory="/a").settings.assets_directory == Path("/a")
    assert load(data_dir="~/x").settings.data_dir == Path.home() / "x"
    assert load(data_dir="x").settings.data_dir == Path.cwd() / "x"


@pytest.mark.parametrize(
    ("user", "state_home", "folder"),
    [
        (0, "/state", Path("/var/lib/sliceworks")),
        (1000, "/state", Path("/state/sliceworks")),
        (1000, "", Path("/home/me/.local/state/sliceworks")),
    ],
)
def test_the_default_data_dir(
    monkeypatch: pytest.MonkeyPatch, user: int, state_home: str, folder: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("XDG_STATE_HOME", state_home)
    assert load().settings.data_dir == folder


def test_every_fault_is_told_with_its_place_key_and_reason(file: Path) -> None:
    file.write_text('prot = 1\nworkers = "many"\naction_timeout = "5 weeks"\nstate = "sqlite"\n')
    with pytest.raises(ConfigError) as raised:
        load(
            file,
            {"SLICEWORKS_PORT": "99999", "SLICEWORKS_STATE__ULR": "x", "SLICEWORKS_ZZZ": "1"},
            log_level="loud",
        )
    assert str(raised.value).split("; ") == [
        f'{file}: "prot" is not a setting, did you mean "port"?',
        f'{file}: "state" is not a setting, did you mean "state.url"?',
        'SLICEWORKS_STATE__ULR: "state.ulr" is not a setting, did you mean "state.url"?',
        'SLICEWORKS_ZZZ: "zzz" is not a setting',
        'SLICEWORKS_PORT: "port" should be less than or equal to 65535',
        f'{file}: "workers" should be a valid integer, unable to parse string as an integer',
        f"{file}: " + NO_DURATION,
        "--log-level: \"log_level\" should be 'trace', 'debug', 'info', 'warn', 'error' or 'fatal'",
    ]


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("state.url", "mysql://x", 'must be "sqlite" or start with "postgresql://"'),
        ("state.durability", "none", "should be 'full' or 'process'"),
        ("slicer_port_range", "9", "must be two ports"),
        ("slicer_port_range", "0:10", "must be two ports"),
        ("slicer_port_range", [1, 2, 3], "must be two ports"),
        ("slicer_port_range", "1:70000", "must be two ports"),
        ("name", "  ", "should have at least 1 character"),
        ("workers", -1, "should be greater than or equal to 0"),
        ("node_state_interval", 0, "should be greater than or equal to 100"),
        ("slicer_timeout", -1, "should be greater than or equal to 0"),
        ("slicer_timeout", 1.5, "must be a whole number of milliseconds"),
        ("data_dir", 5, "not a valid path"),
    ],
)
def test_what_is_refused(key: str, value: Any, reason: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_settings(file=None, environment={}, flags={key: value})
    message = str(raised.value)
    assert reason in message
    assert f'"{key}"' in message
    assert "; " not in message


def test_ports_may_be_written_either_way_round() -> None:
    assert load(slicer_port_range="46678:45679").settings.slicer_port_range == (45_679, 46_678)
    assert load(slicer_port_range=[1, 2]).settings.slicer_port_range == (1, 2)


@pytest.mark.parametrize(
    ("content", "reason"), [("port = ", "is not TOML"), ("\x00", "is not TOML"), (None, "cannot be read")]
)
def test_a_file_that_cannot_be_used(file: Path, content: str | None, reason: str) -> None:
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError, match=f"{file}: {reason}"):
        load(file)


def test_a_file_that_is_not_text(file: Path) -> None:
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not TOML"):
        load(file)


def test_every_key_is_described() -> None:
    rows = {row.key: row for row in describe(load(None, {}, port=1))}
    assert list(rows) == list(setting_keys())
    assert all(row.meaning for row in rows.values())
    assert (rows["port"].value, rows["port"].default, rows["port"].origin) == ("1", "5678", "--port")
    assert rows["lease_timeout"].value == "30s"
    assert rows["slicer_port_range"].value == "45679:46678"
    assert rows["state.keep_completed"].origin == "default"


def test_what_is_described_can_be_loaded_again() -> None:
    settings = load(None, {}, lease_timeout="1500ms", slicer_timeout="2h").settings
    rows = describe(LoadedSettings(settings, dict.fromkeys(setting_keys(), "default")))
    again = load_settings(file=None, environment={}, flags={row.key: row.value for row in rows})
    assert again.settings == settings


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:secret@db/x", "postgresql://me:***@db/x"),
        ("postgresql://me@db/x", "postgresql://me@db/x"),
        ("sqlite", "sqlite"),
    ],
)
def test_passwords_are_not_shown(url: str, shown: str) -> None:
    rows = {row.key: row for row in describe(load(state_url=url))}
    assert rows["state.url"].value == shown


def test_settings_are_not_changed_afterwards() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1  # type: ignore[misc]  # it is what must not be possible
