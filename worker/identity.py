"""The node's id: made once, and kept in the daemon's data folder."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from sliceworks.protocol.errors import ConfigError
from sliceworks.protocol.ids import NodeId, new_id


def node_id_of(data_dir: Path) -> NodeId:
    """The id in `data_dir/node_id`, made if there is none; ConfigError if it cannot be read, written or used.

    The file appears whole or not at all, whenever the machine stops.
    """
    path = data_dir / "node_id"
    try:
        if not path.exists():
            _write(path, new_id())
        text = path.read_text().strip()
        return NodeId(str(uuid.UUID(text)))
    except OSError as error:
        message = (
            f"the node id {path} cannot be used ({error.strerror}): make it readable and its folder writable"
        )
        raise ConfigError(message) from error
    except ValueError as error:
        message = f"the node id {path} is damaged: delete it, and this host becomes a new node"
        raise ConfigError(message) from error


def _write(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    with new.open("w") as file:
        file.write(f"{text}\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
