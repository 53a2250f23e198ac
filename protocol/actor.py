"""Actors: one mailbox, one loop, one owner.

An actor is the only writer of its own state.  Others hold its `Ref` and reach it by `tell` (no answer) or
`ask` (an answer, or the caller's own deadline).  A supervisor owns its children: it runs them in one
TaskGroup, starts those that crash again as their policy says, and fails itself when crashes come too fast.
A restart builds a fresh actor behind the same `Ref`, so nobody holds a dead one; the message in hand at the
crash is lost.  Cancelling a supervisor cancels the whole tree below it.
"""

from __future__ import annotations

import asyncio
import enum
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, TypeVar

import structlog

log = structlog.get_logger(__name__)

M = TypeVar("M")
R = TypeVar("R")


class MailboxClosed(Exception):  # noqa: N818 - an end, not a fault
    """The actor has ended or is draining; it takes no more messages."""


class MailboxFull(Exception):  # noqa: N818 - a signal to slow down
    """The actor does not keep up; the sender must slow down or shed load."""


class TooManyCrashes(Exception):  # noqa: N818 - named after what happened
    """A child crashed more often than its supervisor puts up with."""


class Restart(enum.Enum):
    """When a supervisor starts a child again."""

    ALWAYS = enum.auto()  # a listener: even a clean return is a fault
    ON_CRASH = enum.auto()  # a session: a clean return is the end of it
    NEVER = enum.auto()  # a one-off: a crash is logged, nothing more


def answer(reply: asyncio.Future[R], value: R) -> None:
    """Settle an `ask`, unless the asker has given up waiting."""
    if not reply.done():
        reply.set_result(value)


class Ref(Generic[M]):
    """The address of an actor, and its mailbox; it outlives restarts."""

    def __init__(self, name: str, capacity: int) -> None:
        self.name = name
        self._capacity = capacity
        self._messages: deque[M] = deque()
        self._asked: set[asyncio.Future[Any]] = set()
        self._closed = False
        self._wake = asyncio.Event()

    def tell(self, message: M) -> None:
        """Queue a message, never waiting; MailboxClosed or MailboxFull if it cannot be."""
        if self._closed:
            raise MailboxClosed(self.name)
        if len(self._messages) >= self._capacity:
            raise MailboxFull(self.name)
        self._messages.append(message)
        self._wake.set()

    async def ask(self, make: Callable[[asyncio.Future[R]], M]) -> R:
        """Queue the message that `make` builds round a reply, and wait for the reply.

        MailboxClosed if the actor ends without one.  A crash loses the message in hand, so set a deadline.
        """
        reply: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self.tell(make(reply))
        self._asked.add(reply)
        try:
            return await reply
        finally:
            self._asked.discard(reply)

    def drain(self) -> None:
        """Refuse new messages; the actor ends after those that are queued."""
        self._closed = True
        self._wake.set()

    async def take(self) -> M:
        """The next message, for the owning actor alone; MailboxClosed when there will be none."""
        while not self._messages:
            if self._closed:
                raise MailboxClosed(self.name)
            self._wake.clear()
            await self._wake.wait()
        return self._messages.popleft()

    def close(self) -> None:
        """Refuse new messages and let nobody wait for an answer any more; for the supervisor alone."""
        self.drain()
        for reply in self._asked:
            if not reply.done():
                reply.set_exception(MailboxClosed(self.name))


class Actor(Generic[M]):
    """A behavior; a subclass writes `handle` and, where it must, the hooks."""

    async def on_start(self) -> None:
        """Acquire what the actor needs before its first message."""

    async def handle(self, message: M) -> None:
        """Act on one message; an exception here is a crash of the actor."""
        raise NotImplementedError

    async def on_stop(self) -> None:
        """Release it; runs after an end, a crash and a cancellation alike."""

    async def run(self, ref: Ref[M]) -> None:
        """The actor's life; its supervisor is the only caller."""
        try:
            await self.on_start()
            while True:
                try:
                    message = await ref.take()
                except MailboxClosed:
                    return
                await self.handle(message)
        finally:
            await self.on_stop()


class Supervisor:
    """Owns a set of actors: `async with Supervisor("master") as tree:`.

    The context ends when all children have.  More than `crashes` restarts of one child in `within_seconds`
    raise TooManyCrashes, in an ExceptionGroup, and cancel its siblings.
    """

    def __init__(self, name: str, *, crashes: int = 3, within_seconds: float = 10.0) -> None:
        self.name = name
        self._crashes = crashes
        self._within_seconds = within_seconds
        self._group = asyncio.TaskGroup()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Supervisor:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._group.__aexit__(kind, error, trace)

    def start(
        self,
        name: str,
        make: Callable[[], Actor[M]],
        restart: Restart = Restart.ON_CRASH,
        *,
        capacity: int = 1_000,
    ) -> Ref[M]:
        """Start the actor that `make` builds; every restart calls `make` again."""
        ref: Ref[M] = Ref(f"{self.name}/{name}", capacity)
        task = self._group.create_task(self._keep(ref, make, restart), name=ref.name)
        self._tasks[name] = task
        task.add_done_callback(lambda _: self._forget(name, task))
        return ref

    def stop(self, name: str) -> None:
        """Cancel one child; a name that is not running is no error."""
        if task := self._tasks.get(name):
            task.cancel()

    def _forget(self, name: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(name) is task:  # else the name is in use again
            del self._tasks[name]

    async def _keep(self, ref: Ref[M], make: Callable[[], Actor[M]], restart: Restart) -> None:
        recent: deque[float] = deque(maxlen=self._crashes)
        try:
            while await self._wants_restart(ref, make, restart):
                now = asyncio.get_running_loop().time()
                if len(recent) == self._crashes and now - recent[0] < self._within_seconds:
                    raise TooManyCrashes(ref.name)
                recent.append(now)
        finally:
            ref.close()

    async def _wants_restart(self, ref: Ref[M], make: Callable[[], Actor[M]], restart: Restart) -> bool:
        """Live one life of the child; whether there is to be another."""
        try:
            await make().run(ref)
        except Exception:
            log.exception("actor_crashed", actor=ref.name)
            return restart is not Restart.NEVER
        return restart is Restart.ALWAYS
