"""Whether the kernel killed a worker for want of memory: it counts such kills, and nowhere says of whom.

The count of the worker's memory cgroup is looked at, version 2 or 1; without one, that of the whole host.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CGROUPS: Final = Path("/sys/fs/cgroup")
_OF_HOST: Final = Path("/proc/vmstat")
_NAME: Final = "oom_kill"  # the same in all three files


@dataclass(frozen=True, slots=True)
class MemoryKills:
    """The count as it was at one time; `count` -1: this kernel does not tell."""

    file: Path
    count: int

    @classmethod
    def seen_by(cls, pid: int) -> MemoryKills:
        """As of now, where this process is counted."""
        for file in (*_cgroup_files(pid), _OF_HOST):
            count = _read(file)
            if count >= 0:
                return cls(file, count)
        return cls(_OF_HOST, -1)

    def since(self) -> int:
        """How many there were since then."""
        return max(0, _read(self.file) - self.count) if self.count >= 0 else 0


def _cgroup_files(pid: int) -> Iterator[Path]:
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            yield CGROUPS / "memory" / path.strip("/") / "memory.oom_control"
        elif not controllers:
            yield CGROUPS / path.strip("/") / "memory.events"


def _read(file: Path) -> int:
    try:
        fields = [line.split() for line in file.read_text().splitlines()]
    except OSError:
        return -1
    return next((int(field[1]) for field in fields if len(field) > 1 and field[0] == _NAME), -1)
