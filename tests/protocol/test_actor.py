"""An actor's life: messages, answers, crashes, restarts, and the end of the tree."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TypeAlias

import pytest
import structlog.testing

from sliceworks.protocol.actor import (
    Actor,
    MailboxClosed,
    MailboxFull,
    Ref,
    Restart,
    Supervisor,
    TooManyCrashes,
    answer,
)


@dataclass(frozen=True, slots=True)
class Add:
    amount: int


@dataclass(frozen=True, slots=True)
class Crash:
    pass


@dataclass(frozen=True, slots=True)
class Get:
    reply: asyncio.Future[int]


@dataclass(frozen=True, slots=True)
class GetNever:
    """A question that is never answered."""

    reply: asyncio.Future[int]


Message: TypeAlias = Add | Crash | Get | GetNever


class Counter(Actor[Message]):
    def __init__(self) -> None:
        self.total = 0
        self.started = 0
        self.stopped = 0

    async def on_start(self) -> None:
        self.started += 1

    async def handle(self, message: Message) -> None:
        match message:
            case Add(amount):
                self.total += amount
            case Crash():
                raise RuntimeError
            case Get(reply):
                answer(reply, self.total)
            case GetNever():
                pass

    async def on_stop(self) -> None:
        self.stopped += 1


class Maker:
    """Makes counters and remembers them: one for each life."""

    def __init__(self) -> None:
        self.made: list[Counter] = []

    def __call__(self) -> Counter:
        self.made.append(Counter())
        return self.made[-1]


async def test_messages_are_handled_in_order_and_a_drained_actor_ends() -> None:
    make = Maker()
    async with Supervisor("tree") as tree:
        counter = tree.start("counter", make)
        counter.tell(Add(2))
        counter.tell(Add(3))
        assert await counter.ask(Get) == 5
        counter.tell(Add(1))
        counter.drain()
    assert (make.made[0].total, make.made[0].started, make.made[0].stopped) == (6, 1, 1)
    assert counter.name == "tree/counter"
    with pytest.raises(MailboxClosed):
        counter.tell(Add(1))


async def test_cancelling_the_supervisor_cancels_the_tree() -> None:
    make = Maker()
    async with asyncio.TaskGroup() as group:
        running = asyncio.Event()

        async def daemon() -> None:
            async with Supervisor("tree") as tree:
                counter = tree.start("counter", make, Restart.ALWAYS)
                await counter.ask(Get)
                running.set()
                await asyncio.Event().wait()

        task = group.create_task(daemon())
        await running.wait()
        task.cancel()
    assert make.made[0].stopped == 1


async def test_a_ref_survives_a_restart_which_starts_afresh() -> None:
    make = Maker()
    with structlog.testing.capture_logs() as logs:
        async with Supervisor("tree") as tree:
            counter = tree.start("counter", make)
            for message in (Add(1), Crash(), Add(4)):
                counter.tell(message)
            assert await counter.ask(Get) == 4
            counter.drain()
    assert [one.stopped for one in make.made] == [1, 1]
    assert [(log["event"], log["actor"]) for log in logs] == [("actor_crashed", "tree/counter")]


async def test_too_many_crashes_end_the_whole_tree() -> None:
    make, sibling = Maker(), Maker()

    async def crash_and_crash() -> None:
        async with Supervisor("tree", crashes=3) as tree:
            tree.start("sibling", sibling)
            counter = tree.start("counter", make)
            for _ in range(9):
                counter.tell(Crash())

    with structlog.testing.capture_logs(), pytest.raises(ExceptionGroup) as raised:
        await crash_and_crash()
    assert raised.group_contains(TooManyCrashes, match="tree/counter")
    assert len(make.made) == 4
    assert sibling.made[0].stopped == 1


async def test_crashes_far_apart_are_put_up_with() -> None:
    make = Maker()
    with structlog.testing.capture_logs():
        async with Supervisor("tree", crashes=1, within_seconds=0) as tree:
            counter = tree.start("counter", make)
            for _ in range(9):
                counter.tell(Crash())
            assert await counter.ask(Get) == 0
            counter.drain()
    assert len(make.made) == 10


async def test_a_one_off_is_not_started_again() -> None:
    make = Maker()
    with structlog.testing.capture_logs():
        async with Supervisor("tree") as tree:
            tree.start("counter", make, Restart.NEVER).tell(Crash())
    assert len(make.made) == 1


async def test_a_listener_is_started_again_even_after_a_clean_end() -> None:
    class Brief(Counter):
        async def run(self, ref: Ref[Message]) -> None:
            made.append(self)

    made: list[Brief] = []
    with pytest.raises(ExceptionGroup) as raised:
        async with Supervisor("tree", crashes=2) as tree:
            tree.start("brief", Brief, Restart.ALWAYS)
    assert raised.group_contains(TooManyCrashes)
    assert len(made) == 3


async def test_stopping_one_child_leaves_its_siblings() -> None:
    first, second = Maker(), Maker()
    async with Supervisor("tree") as tree:
        one = tree.start("one", first)
        two = tree.start("two", second)
        await one.ask(Get)
        tree.stop("one")
        tree.stop("nobody")
        with pytest.raises(MailboxClosed):
            await one.ask(GetNever)
        assert await two.ask(Get) == 0
        two.drain()
    assert first.made[0].stopped == 1


async def test_a_name_can_be_used_again() -> None:
    make = Maker()
    async with Supervisor("tree") as tree:
        old = tree.start("counter", make)
        old.drain()
        new = tree.start("counter", make)
        with pytest.raises(MailboxClosed):
            await old.ask(Get)
        assert await new.ask(Get) == 0
        await asyncio.sleep(0)
        tree.stop("counter")
    assert [one.stopped for one in make.made] == [1, 1]


async def test_a_full_mailbox_says_so() -> None:
    ref: Ref[int] = Ref("full", 1)
    ref.tell(1)
    with pytest.raises(MailboxFull):
        ref.tell(2)


async def test_nobody_waits_for_an_actor_that_has_ended() -> None:
    make = Maker()
    async with Supervisor("tree") as tree:
        counter = tree.start("counter", make)
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(expect_closed(counter))
            await counter.ask(Get)
            counter.drain()
        assert asking.done()


async def expect_closed(counter: Ref[Message]) -> None:
    with pytest.raises(MailboxClosed):
        await counter.ask(GetNever)


async def test_an_asker_that_gave_up_does_not_crash_the_actor() -> None:
    make = Maker()
    async with Supervisor("tree") as tree:
        counter = tree.start("counter", make)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await counter.ask(Get)
        assert await counter.ask(Get) == 0
        counter.drain()
    assert len(make.made) == 1


async def test_trees_nest() -> None:
    make = Maker()
    leaf_runs = asyncio.Event()

    class Branch(Actor[None]):
        async def run(self, ref: Ref[None]) -> None:
            async with Supervisor(ref.name) as below:
                await below.start("leaf", make, Restart.ALWAYS).ask(Get)
                leaf_runs.set()

    async with Supervisor("root") as tree:
        tree.start("branch", Branch)
        await leaf_runs.wait()
        tree.stop("branch")
    assert make.made[0].stopped == 1


async def test_an_actor_without_behavior_crashes() -> None:
    with structlog.testing.capture_logs() as logs:
        async with Supervisor("tree") as tree:
            silent: Ref[int] = tree.start("silent", Actor[int], Restart.NEVER)
            silent.tell(1)
    assert [log["event"] for log in logs] == ["actor_crashed"]
