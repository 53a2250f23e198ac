"""What the controller's nursery forks: the slicer child."""

from __future__ import annotations

import socket
from collections.abc import Callable

from sliceworks.master.execution.slicing import run_slicer

TARGETS: dict[str, Callable[[socket.socket, bytes], int]] = {"slicer": run_slicer}
