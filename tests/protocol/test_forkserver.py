"""Children are forked clean, their ends are told once, and the death of a server loses none of them."""

from __future__ import annotations

import ast
import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sliceworks.protocol.forkserver import Child, ExitStatus, ForkServer, ForkServerError
from sliceworks.protocol.process import identity_of, wait_dead


class Running:
    """A child, and what is heard of it."""

    def __init__(self) -> None:
        self.ends: list[ExitStatus] = []
        self.ended: asyncio.Future[ExitStatus] = asyncio.get_running_loop().create_future()
        self.child: Child

    def on_exit(self, status: ExitStatus) -> None:
        self.ends.append(status)
        if len(self.ends) == 1:
            self.ended.set_result(status)

    async def read(self) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self.child.sock, 65536)

    async def write(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.child.sock, data)

    def hang_up(self) -> None:
        self.child.sock.close()


@asynccontextmanager
async def spawned(server: ForkServer, target: str, payload: bytes = b"") -> AsyncIterator[Running]:
    """The child lives until the end of the context at the latest."""
    running = Running()
    running.child = await server.spawn(target, payload, on_exit=running.on_exit)
    try:
        yield running
    finally:
        running.hang_up()
        await wait_dead(running.child.pidfd)
        os.close(running.child.pidfd)


@pytest.fixture
async def server(fork_targets: str) -> AsyncIterator[ForkServer]:
    async with asyncio.timeout(60), ForkServer.start(fork_targets) as running:
        yield running


async def test_a_child_gets_its_payload_and_talks_over_its_socket(server: ForkServer) -> None:
    async with spawned(server, "echo", b"hello") as running:
        assert await running.read() == b"hello"
        await running.write(b"again")
        assert await running.read() == b"again"
        identity = identity_of(running.child.pid)
        assert identity
        assert identity.start_time == running.child.start_time
        running.hang_up()
        assert await running.ended == ExitStatus(7, None)
    assert running.ends == [ExitStatus(7, None)]


async def test_a_payload_of_several_megabytes_arrives(server: ForkServer) -> None:
    async with spawned(server, "measure", bytes(5_000_000)) as running:
        assert await running.read() == b"5000000"
        assert await running.ended == ExitStatus(0, None)


@pytest.mark.parametrize(
    ("target", "payload", "status"),
    [
        ("crash", b"x", ExitStatus(1, None)),
        ("leave", b"some words", ExitStatus(1, None)),
        ("leave", b"", ExitStatus(0, None)),
        ("killed", b"", ExitStatus(None, signal.SIGSEGV)),
    ],
)
async def test_how_a_child_ended_is_told(
    server: ForkServer, target: str, payload: bytes, status: ExitStatus
) -> None:
    async with spawned(server, target, payload) as running:
        assert await running.ended == status


async def test_a_child_that_raises_says_so_on_stderr(
    fork_targets: str, capfd: pytest.CaptureFixture[str]
) -> None:
    async with ForkServer.start(fork_targets) as server, spawned(server, "crash", b"x") as running:
        await running.ended
    assert "RuntimeError: crashed with b'x'" in capfd.readouterr().err


async def test_a_child_inherits_nothing_of_the_server(
    fork_targets: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/the/users/own")
    found: list[dict[str, Any]] = []
    async with ForkServer.start(fork_targets, env={"MARK": "mine"}) as server, spawned(server, "echo"):
        for _ in range(2):
            async with spawned(server, "facts") as running:
                found.append(ast.literal_eval((await running.read()).decode()))
    assert found[0].pop("draw") != found[1].pop("draw")
    assert found == 2 * [
        {
            "ignored": [],
            "descriptors": [],
            "leads_session": True,
            "blocking": True,
            "mark": "mine",
            "python_path": "/the/users/own",
        }
    ]


async def test_many_children_at_once(server: ForkServer) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(talk(server, f"{number}".encode())) for number in range(40)]
    assert [task.result() for task in tasks] == [f"{number}".encode() for number in range(40)]


async def talk(server: ForkServer, words: bytes) -> bytes:
    async with spawned(server, "echo", words) as running:
        heard = await running.read()
        running.hang_up()
        assert await running.ended == ExitStatus(7, None)
        return heard


async def test_an_end_is_not_told_before_the_child_is_handed_over(server: ForkServer) -> None:
    for _ in range(10):
        async with spawned(server, "leave") as running:
            assert running.ends == []
            await running.ended


async def test_a_target_that_is_not_there(server: ForkServer) -> None:
    with pytest.raises(ForkServerError, match="there is no target 'nothing'"):
        await server.spawn("nothing", b"", on_exit=never)
    async with spawned(server, "leave") as running:
        await running.ended


def never(status: ExitStatus) -> None:
    pytest.fail(f"an end is told of a child that was not handed over: {status}")


async def test_a_cancelled_spawn_leaves_no_child(server: ForkServer) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await server.spawn("echo", bytes(1_000_000), on_exit=never)
    assert await talk(server, b"next") == b"next"


async def test_the_server_ignores_the_signals_of_a_terminal(server: ForkServer) -> None:
    pid = pid_of(server)
    os.kill(pid, signal.SIGINT)
    os.kill(pid, signal.SIGTERM)
    assert await talk(server, b"still here") == b"still here"
    assert pid_of(server) == pid


async def test_children_outlive_their_server_and_a_new_one_is_started(server: ForkServer) -> None:
    async with spawned(server, "echo", b"one") as orphan:
        await orphan.read()
        first = pid_of(server)
        await kill_server(server)
        await orphan.write(b"alive")
        assert await orphan.read() == b"alive"
        assert orphan.ends == []
        assert await talk(server, b"two") == b"two"
        assert pid_of(server) != first
        orphan.hang_up()
        assert await orphan.ended == ExitStatus(None, None)
    assert orphan.ends == [ExitStatus(None, None)]


async def test_children_that_asked_for_it_die_with_their_server(server: ForkServer) -> None:
    async with spawned(server, "die_with_server") as running:
        assert await running.read() == b"ready"
        await kill_server(server)
        assert await running.ended == ExitStatus(None, None)


async def test_what_a_child_leaves_behind_is_reaped_by_the_server(server: ForkServer) -> None:
    async with spawned(server, "leave_orphan") as running:
        orphan = int(await running.read())
        assert await running.ended == ExitStatus(0, None)
        pidfd = os.pidfd_open(orphan)
        os.kill(orphan, signal.SIGKILL)
        await wait_dead(pidfd)
        os.close(pidfd)
    assert await talk(server, b"no harm done") == b"no harm done"


async def test_the_end_of_the_context_leaves_children_alone(fork_targets: str) -> None:
    async with asyncio.timeout(30):
        async with ForkServer.start(fork_targets) as server:
            running = Running()
            running.child = await server.spawn("echo", b"here", on_exit=running.on_exit)
            assert await running.read() == b"here"
            pid = pid_of(server)
        assert identity_of(pid) is None
        await running.write(b"there")
        assert await running.read() == b"there"
        running.hang_up()
        await wait_dead(running.child.pidfd)
        os.close(running.child.pidfd)
    assert running.ends == []


async def test_a_module_that_cannot_be_imported(fork_targets: str) -> None:
    with pytest.raises(ForkServerError, match="No module named 'no_such_module'"):
        async with ForkServer.start("no_such_module"):
            pass


async def test_a_start_that_is_given_up_leaves_no_process(fork_targets: str) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0), ForkServer.start(fork_targets):
            pass


async def test_a_process_can_have_a_nursery_of_its_own(server: ForkServer) -> None:
    async with spawned(server, "controller") as running:
        assert await running.read() == b"5 0"
        assert await running.ended == ExitStatus(0, None)


async def test_a_nursery_dies_with_its_process(server: ForkServer) -> None:
    async with spawned(server, "orphaning_controller") as running:
        pidfd = os.pidfd_open(int(await running.read()))
        os.kill(running.child.pid, signal.SIGKILL)
        assert await running.ended == ExitStatus(None, signal.SIGKILL)
        await wait_dead(pidfd)
        os.close(pidfd)


def pid_of(server: ForkServer) -> int:
    link = server._server
    assert link
    assert link._identity
    return link._identity.pid


async def kill_server(server: ForkServer) -> None:
    """Returns when the loss of it has been noticed."""
    link = server._server
    assert link
    os.kill(pid_of(server), signal.SIGKILL)
    while not link.lost:  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.001)
