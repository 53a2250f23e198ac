"""What the master's fork server forks: controllers, checks of jobs and assets, questions to readers."""

from __future__ import annotations

import socket
from collections.abc import Callable

from sliceworks.master.assets.inspection import run_check, run_import
from sliceworks.master.execution.controller import run_controller
from sliceworks.master.readers import run_question
from sliceworks.master.validation import run_validation

TARGETS: dict[str, Callable[[socket.socket, bytes], int]] = {
    "controller": run_controller,
    "validate": run_validation,
    "reader": run_question,
    "check_asset": run_check,
    "import_asset": run_import,
}
