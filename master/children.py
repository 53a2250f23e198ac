"""What the master's fork server forks: execution controllers, and checks of jobs."""

from __future__ import annotations

import socket
from collections.abc import Callable

from sliceworks.master.execution.controller import run_controller
from sliceworks.master.validation import run_validation

TARGETS: dict[str, Callable[[socket.socket, bytes], int]] = {
    "controller": run_controller,
    "validate": run_validation,
}
