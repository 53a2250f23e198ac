"""What the worker daemon's fork server can fork.

It imports all that a worker needs, so that workers start warm.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from sliceworks.worker.host import run_worker_process

TARGETS: dict[str, Callable[[socket.socket, bytes], int]] = {"worker": run_worker_process}
