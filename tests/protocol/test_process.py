"""Processes are told apart, waited for and ended; real ones, because the kernel is what is relied on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sliceworks.protocol import process
from sliceworks.protocol.process import Identity, end_process, identity_of, is_alive

Start = Callable[..., subprocess.Popen[bytes]]

STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.pause()"


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts processes in sessions of their own, and ends what is left of them."""
    started: list[subprocess.Popen[bytes]] = []

    def popen(*command: str, **environment: str) -> subprocess.Popen[bytes]:
        started.append(
            subprocess.Popen(
                command or ["sleep", "60"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        )
        return started[-1]

    yield popen
    for one in started:
        one.kill()
        with one:
            pass


def python(source: str) -> list[str]:
    path = Path(process.__file__).parents[1]
    imports = (
        f"import sys; sys.path.insert(0, {str(path / '.dev')!r}); from sliceworks.protocol import process"
    )
    return [sys.executable, "-c", f"{imports}\n{source}"]


def line_of(running: subprocess.Popen[bytes]) -> str:
    assert running.stdout
    return running.stdout.readline().decode().strip()


def identity(running: subprocess.Popen[bytes]) -> Identity:
    found = identity_of(running.pid)
    assert found
    return found


def test_a_process_keeps_its_identity_until_it_ends(start: Start) -> None:
    running = start()
    before = identity(running)
    assert identity(running) == before
    assert is_alive(before)
    assert before != identity_of(os.getpid())
    running.kill()
    os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(before), "a zombie"
    running.wait()
    assert identity_of(running.pid) is None


def test_another_process_with_the_same_pid_is_not_the_same() -> None:
    mine = identity_of(os.getpid())
    assert mine
    assert not is_alive(replace(mine, start_time=mine.start_time - 1))
    assert not is_alive(replace(mine, boot_id="another boot"))


def test_a_name_with_blanks_and_brackets_does_not_confuse(start: Start, tmp_path: Path) -> None:
    (tmp_path / "a) Z 1 (b").symlink_to("/bin/sleep")
    assert is_alive(identity(start(str(tmp_path / "a) Z 1 (b"), "60")))


async def test_waiting_for_the_death_of_a_process(start: Start) -> None:
    running = start("cat")
    pidfd = os.pidfd_open(running.pid)
    assert running.stdin
    running.stdin.close()
    await process.wait_dead(pidfd)
    await process.wait_dead(pidfd)
    os.close(pidfd)
    assert running.wait() == 0


async def test_a_process_that_obeys_is_ended_by_sigterm(start: Start) -> None:
    running = start()
    await end_process(identity(running), grace_seconds=30)
    assert running.wait() == -signal.SIGTERM


async def test_a_process_that_does_not_obey_is_killed_after_the_grace(start: Start) -> None:
    running = start(sys.executable, "-c", STUBBORN)
    line_of(running)
    await end_process(identity(running), grace_seconds=0.01)
    assert running.wait() == -signal.SIGKILL


async def test_without_grace_a_process_is_killed_at_once(start: Start) -> None:
    running = start()
    await end_process(identity(running), grace_seconds=0)
    assert running.wait() == -signal.SIGKILL


async def test_a_stranger_with_the_pid_is_left_alone(start: Start) -> None:
    running = start()
    real = identity(running)
    await end_process(replace(real, start_time=real.start_time - 1), grace_seconds=0)
    assert is_alive(real)


async def test_ending_a_process_that_is_gone_is_no_error(start: Start) -> None:
    running = start()
    gone = identity(running)
    running.kill()
    running.wait()
    await end_process(gone, grace_seconds=5)


def test_killing_a_group_takes_the_grandchildren_along(start: Start) -> None:
    running = start("sh", "-c", "sleep 60 & echo $!; wait")
    pidfd = os.pidfd_open(int(line_of(running)))
    process.kill_group(running.pid)
    running.wait()
    os.close(pidfd)
    assert running.stdout
    assert running.stdout.read() == b"", "nobody holds the pipe any more"
    process.kill_group(running.pid)


def test_a_child_dies_with_its_parent(start: Start) -> None:
    parent = start(
        *python(
            "import os, signal\n"
            "if os.fork() == 0:\n"
            "    process.die_with_parent()\n"
            "    print(os.getpid(), flush=True)\n"
            "    signal.pause()\n"
            "signal.pause()"
        )
    )
    pidfd = os.pidfd_open(int(line_of(parent)))
    parent.kill()
    parent.wait()
    assert parent.stdout
    assert parent.stdout.read() == b"", "it returns when the child is dead"
    os.close(pidfd)


def test_a_child_whose_parent_is_gone_already_ends_itself(start: Start) -> None:
    parent = start(
        *python(
            "import os, time\n"
            "parent = os.getpid()\n"
            "if os.fork() == 0:\n"
            "    while os.getppid() == parent:\n"
            "        time.sleep(0.001)\n"
            "    process.die_with_parent()\n"
            "    print('still here', flush=True)\n"
        )
    )
    assert parent.stdout
    assert parent.stdout.read() == b""
    parent.wait()


def test_orphans_come_to_a_subreaper(start: Start) -> None:
    running = start(
        *python(
            "import os, subprocess\n"
            "process.set_child_subreaper()\n"
            "orphan = int(subprocess.check_output(['sh', '-c', 'sleep 0 >/dev/null & echo $!']))\n"
            "print(os.waitpid(orphan, 0) == (orphan, 0))\n"
        )
    )
    assert line_of(running) == "True"


def test_a_process_can_offer_itself_when_memory_is_short(start: Start) -> None:
    running = start(*python("process.set_oom_score_adj(500); print(open('/proc/self/oom_score_adj').read())"))
    assert line_of(running) == "500"


def test_a_sweep_kills_what_an_earlier_incarnation_of_the_same_owner_left(start: Start) -> None:
    old = start(MARK="node-a:1")
    older = start(MARK="node-a:0")
    mine = start(MARK="node-a:2")
    other = start(MARK="node-b:1")
    alike = start(MARK="node-ab:1", OTHER="node-a:1")
    unmarked = start()
    killed = process.sweep("MARK", "node-a:2")
    assert sorted(killed) == sorted([old.pid, older.pid])
    assert old.wait() == older.wait() == -signal.SIGKILL
    assert all(is_alive(identity(one)) for one in (mine, other, alike, unmarked))
