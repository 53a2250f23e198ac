"""What can be set, for both daemons; each ignores what it does not use.

Keys carry Teraslice's names where it has one.  Times are held in milliseconds.  The description of a field is
its documentation: `sliceworks config show` and the reference page are made from it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
)

from sliceworks.protocol.documents import LogLevel
from sliceworks.protocol.durations import DurationMs

_SYSTEM_DATA_DIR: Final = Path("/var/lib/sliceworks")
_MAX_PORT: Final = 65_535


class PortRange(NamedTuple):
    """First and last port, both included."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first}:{self.last}"


def default_data_dir() -> Path:
    """The system's folder for root, else the user's own state folder."""
    if os.geteuid() == 0:
        return _SYSTEM_DATA_DIR
    state_home = os.environ.get("XDG_STATE_HOME", "")
    return (Path(state_home) if state_home else Path.home() / ".local" / "state") / "sliceworks"


def _read_port_range(value: Any) -> Any:
    if isinstance(value, str):
        match = re.fullmatch(r"\s*(\d{1,5})\s*:\s*(\d{1,5})\s*", value)
        value = (int(match[1]), int(match[2])) if match else ()
    ports = tuple(value) if isinstance(value, list | tuple) else ()
    if len(ports) == len(PortRange._fields) and all(isinstance(port, int) for port in ports):
        first, last = min(ports), max(ports)
        if 0 < first <= last <= _MAX_PORT:
            return PortRange(first, last)
    message = 'must be two ports, such as "45679:46678"'
    raise ValueError(message)


def _check_store_url(url: str) -> str:
    if url != "sqlite" and not url.startswith(("postgresql://", "postgres://")):
        message = 'must be "sqlite" or start with "postgresql://"'
        raise ValueError(message)
    return url


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


_Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
_Folder = Annotated[Path, AfterValidator(_absolute)]
_Interval = Annotated[DurationMs, Field(ge=100)]
_PortRangeField = Annotated[PortRange, BeforeValidator(_read_port_range), PlainSerializer(str)]


class StateSettings(BaseModel):
    """The store of jobs, executions and slices."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: Annotated[str, AfterValidator(_check_store_url)] = Field(
        default="sqlite", description="the store: `sqlite` (under data_dir) or `postgresql://…`"
    )
    durability: Literal["full", "process"] = Field(
        default="full",
        description="what an acknowledgement survives: `full` a power cut, `process` deaths of processes",
    )
    keep_completed: DurationMs = Field(
        default=7 * 86_400_000,
        description="without effect so far: completed slices stay as long as the store of their execution",
    )


class Settings(BaseModel):
    """All settings; times are milliseconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: _Word = Field(default="teracluster", description="name of the cluster")
    hostname: _Word = Field(default="127.0.0.1", description="how other hosts reach this one")
    bind: _Word = Field(default="127.0.0.1", description="address that every listener of this host binds to")
    port: int = Field(default=5678, ge=0, le=_MAX_PORT, description="port of the master; 0: any free one")
    master_hostname: _Word = Field(default="127.0.0.1", description="where worker daemons find the master")
    workers: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=0,
        le=10_000,
        description="slots of this node; default: the number of its CPUs",
    )
    action_timeout: DurationMs = Field(
        default=120_000,
        description="without effect, taken because Teraslice has it: what is wanted is told until it is done",
    )
    network_latency_buffer: DurationMs = Field(
        default=15_000, description="added to a timeout when its answer travels over the network"
    )
    node_disconnect_timeout: DurationMs = Field(
        default=300_000,
        description="how long a node may be cut off before its workers are ended and placed elsewhere",
    )
    node_state_interval: _Interval = Field(
        default=5_000, description="the heartbeat of every connection; three silent ones end it"
    )
    shutdown_timeout: DurationMs = Field(
        default=60_000,
        description="how long a slice in hand may take when a worker, job or daemon is stopped",
    )
    slicer_timeout: DurationMs = Field(
        default=0, description="fail an execution when no worker joins it for so long; 0: wait for ever"
    )
    worker_disconnect_timeout: DurationMs = Field(
        default=0, description="fail an execution when all its workers are gone for so long; 0: wait for ever"
    )
    lease_timeout: _Interval = Field(
        default=30_000, description="how long a silent node keeps its slices before others get them"
    )
    slicer_port_range: _PortRangeField = Field(
        default=PortRange(45_679, 46_678), description="ports for the execution controllers, `first:last`"
    )
    analytics_rate: _Interval = Field(
        default=60_000, description="how often a controller writes the times of its operations down"
    )
    data_dir: _Folder = Field(
        default_factory=default_data_dir,
        description="the only folder written to; default: /var/lib/sliceworks or the user's state folder",
    )
    assets_directory: _Folder = Field(
        default_factory=lambda known: known.get("data_dir", Path()) / "assets",
        description="where assets are kept; default: `assets` under data_dir",
    )
    autoload_directory: _Folder = Field(
        default_factory=lambda known: known.get("data_dir", Path()) / "autoload",
        description="assets that the master loads when it starts; default: `autoload` under data_dir",
    )
    api_response_timeout: _Interval = Field(
        default=300_000, description="how long an API request may take before it is answered with an error"
    )
    metrics_port: int = Field(
        default=0,
        ge=0,
        le=_MAX_PORT,
        description="where a worker daemon serves /metrics for Prometheus; 0: nowhere",
    )
    log_level: LogLevel = Field(default="info", description="the lowest level that is logged")
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="`auto`: columns on a terminal, else JSON lines"
    )
    state: StateSettings = Field(default_factory=StateSettings, description="the store")
