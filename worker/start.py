"""What a worker process is told at its birth."""

from __future__ import annotations

from msgspec import Struct

from sliceworks.protocol.log import Level, Style


class AssetStart(Struct, frozen=True):
    """An asset of the execution, and where it is unpacked on this host."""

    asset_id: str
    directory: str


class WorkerStart(Struct, frozen=True):
    """Everything a worker needs, through the pipe of its fork: nothing comes from environment or files."""

    worker_id: int
    ex_id: str
    node_id: str
    hostname: str
    execution: bytes  # the execution document, JSON
    durable: bool  # output must survive a power cut before a slice counts as done
    log_level: Level
    log_format: Style
    assets: list[AssetStart] = []
