"""Memory of each process of a cluster under test, by what the process is."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tests.acceptance.harness import Cluster


class Usage(NamedTuple):
    """Proportional set size: pages that several processes share count in parts."""

    role: str
    pid: int
    bytes: int


def usages(cluster: Cluster, ex_id: str) -> list[Usage]:
    """All living processes of the cluster, roles in a fixed order."""
    roles = _roles(cluster, ex_id)
    found = [
        Usage(roles.get(pid) or _forked_by(pid, roles), pid, pss_bytes(pid)) for pid in cluster.processes()
    ]
    return sorted(usage for usage in found if usage.bytes)


def pss_bytes(pid: int) -> int:
    """Memory of one process, pages that it shares in parts; 0 if it is gone."""
    return _rolled_up(pid).get("Pss", 0)


def private_bytes(pid: int) -> int:
    """Memory that this process alone has: what one more of its kind adds; 0 if it is gone."""
    sizes = _rolled_up(pid)
    return sizes.get("Private_Clean", 0) + sizes.get("Private_Dirty", 0)


def _rolled_up(pid: int) -> dict[str, int]:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return {}
    return {line.partition(":")[0]: int(line.split()[1]) * 1024 for line in lines}


def _roles(cluster: Cluster, ex_id: str) -> dict[int, str]:
    roles = {daemon.pid: name for name, daemon in cluster.daemons.items()}
    for assignment, role in (("execution_controller", "execution controller"), ("worker", "worker process")):
        roles |= dict.fromkeys(cluster.pids(assignment, ex_id), role)
    return roles


def _forked_by(pid: int, roles: dict[int, str]) -> str:
    """What the API does not show: fork servers, and slicer children behind the controller's."""
    parent = _parent(pid)
    if parent in roles:
        return f"fork server of the {roles[parent]}"
    above = roles.get(_parent(parent))
    return f"child of the fork server of the {above}" if above else "other"


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    except OSError:
        return 0
