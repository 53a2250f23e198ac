"""Finding the processes of a cluster of ours, whoever of them lives: by /proc, and controllers by the API.

The daemons are our children; workers are children of the daemon's fork server, the slicer is a child of the
controller's.  A controller outlives its master, so it is remembered from when a master last named it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Final

from sliceworks.cli.chaos_plan import Kind
from sliceworks.cli.descendants import children, command_line
from sliceworks.protocol.process import Identity, identity_of, is_alive

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_COMMANDS: Final = {Kind.MASTER: "master", Kind.DAEMON: "worker"}


class Victims:
    """Who can be killed now."""

    def __init__(self) -> None:
        self._controller: Identity | None = None

    def controller_is(self, pid: int) -> None:
        """The master has named the controller of the execution under test."""
        self._controller = identity_of(pid)

    def find(self, kind: Kind) -> list[Identity]:
        """The living processes of a kind, the youngest first."""
        found = [identity_of(pid) for pid in self._pids(kind)]
        return sorted([one for one in found if one], key=lambda one: -one.start_time)

    def _pids(self, kind: Kind) -> Iterator[int]:
        match kind:
            case Kind.MASTER | Kind.DAEMON:
                yield from _daemons(_COMMANDS[kind])
            case Kind.WORKER:
                for daemon in _daemons(_COMMANDS[Kind.DAEMON]):
                    yield from _grandchildren(daemon)
            case Kind.CONTROLLER | Kind.SLICER:
                controller = self._controller
                if controller is None or not is_alive(controller):
                    return
                yield from [controller.pid] if kind is Kind.CONTROLLER else _grandchildren(controller.pid)


def age_seconds(process: Identity) -> float:
    """How long ago it was started, to a hundredth."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - process.start_time / _TICKS


def _daemons(command: str) -> Iterator[int]:
    for pid in children(os.getpid()):
        if f"\0sliceworks.cli\0{command}\0" in command_line(pid):
            yield pid


def _grandchildren(pid: int) -> Iterator[int]:
    for child in children(pid):
        yield from children(child)
