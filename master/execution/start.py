"""What a controller is told at its birth, through the pipe of its fork and by no other way."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from sliceworks.protocol.messages import Wishes

GO: Final = b"g"
"""What the master writes into the controller's pipe when its process is on record: begin."""


class ControllerStart(Struct, frozen=True):
    """Everything a controller needs; times in milliseconds."""

    ex_id: str
    job_id: str
    generation: int
    secret: bytes
    execution: bytes  # the execution document, JSON
    data_dir: str  # the master's; with SQLite the store of this execution is ex/<ex_id>.db
    master_url: str  # http://host:port of the master, as reached from this host
    bind: str
    port_range: tuple[
        int, int
    ]  # first and last port to try; the controller takes a free one, any one when all are taken
    wishes: Wishes
    durability: Literal["full", "process"]
    lease_timeout_ms: int
    heartbeat_ms: int
    slicer_timeout_ms: int  # 0: wait for workers for ever
    worker_disconnect_timeout_ms: int  # 0: wait for ever
    log_level: Literal["trace", "debug", "info", "warn", "error", "fatal"]
    log_format: Literal["auto", "json", "console"]
    state_url: str = "sqlite"  # or postgresql://…; it may hold a password
    assets_directory: str = ""  # the master's: each asset is unpacked in a folder named by its id
    lineage: list[str] = []  # the ex_ids of what it recovers, and of all that is in one lineage with it
