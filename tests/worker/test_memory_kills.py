"""Reading the kernel's count of kills for want of memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sliceworks.worker import memory_kills
from sliceworks.worker.memory_kills import MemoryKills


@pytest.fixture
def cgroups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in place of /sys/fs/cgroup."""
    monkeypatch.setattr(memory_kills, "CGROUPS", tmp_path)
    return tmp_path


def test_a_risen_count_is_noticed(cgroups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = cgroups / "memory.events"
    monkeypatch.setattr(memory_kills, "_cgroup_files", lambda pid: iter([cgroups / "absent", file]))
    file.write_text("low 0\noom 0\noom_kill 2\noom_group_kill 9\n")
    before = MemoryKills.seen_by(os.getpid())
    assert before == MemoryKills(file, 2)
    assert before.since() == 0
    file.write_text("oom_kill 3\n")
    assert before.since() == 1
    file.unlink()
    assert before.since() == 0


def test_without_a_cgroup_the_host_is_asked(cgroups: Path) -> None:
    seen = MemoryKills.seen_by(os.getpid())
    assert seen.file in {Path("/proc/vmstat"), *memory_kills._cgroup_files(os.getpid())}


def test_a_process_that_is_gone_has_no_cgroup(cgroups: Path) -> None:
    assert MemoryKills.seen_by(2**22 + 1).file == Path("/proc/vmstat")
