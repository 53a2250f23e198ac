"""The actor round the cluster machine: events in; effects out to store, processes and websockets.

It decides nothing.  A crash in here ends the daemon: the next one takes over from what is durable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol, assert_never

import structlog

from sliceworks.master.cluster import effects as ef
from sliceworks.master.cluster import events as ev
from sliceworks.master.cluster.machine import ClusterMachine
from sliceworks.master.sessions import Sessions
from sliceworks.master.store.contract import ClusterStore
from sliceworks.protocol.actor import Actor, Ref
from sliceworks.protocol.clock import Clock
from sliceworks.protocol.errors import SliceworksError, UnavailableError

log = structlog.get_logger(__name__)

STALL_MS: Final = 3_000


class Processes(Protocol):
    """Carries out what the machine wants of controllers; says what came of it in events."""

    def spawn(self, order: ef.SpawnController) -> None:
        """Start one."""
        ...

    def release(self, order: ef.ReleaseController) -> None:
        """Let one begin that was started."""
        ...

    def watch(self, order: ef.WatchController) -> None:
        """Say when one has ended that was not started here."""
        ...

    def end(self, order: ef.EndController) -> None:
        """Kill one."""
        ...

    def inspect(self, order: ef.InspectStore) -> None:
        """Read what one has left."""
        ...


class RunningProcesses(Processes, AbstractAsyncContextManager["RunningProcesses"], Protocol):
    """Such processes, looked after for as long as the context lasts."""


class Replies:
    """Who waits for an answer of the machine, by request number."""

    def __init__(self) -> None:
        self._waiting: dict[int, asyncio.Future[ef.Reply]] = {}
        self._last = 0

    def expect(self) -> tuple[int, asyncio.Future[ef.Reply]]:
        """A new request number, and its answer to come."""
        self._last += 1
        reply: asyncio.Future[ef.Reply] = asyncio.get_running_loop().create_future()
        self._waiting[self._last] = reply
        return self._last, reply

    def forget(self, request: int) -> None:
        """Nobody waits any more."""
        self._waiting.pop(request, None)

    def refuse_all(self, reason: str) -> None:
        """The store cannot be written: nobody waits for it; what was asked is still done if it heals."""
        message = f"the state store cannot be written: {reason}; what was asked is done when it can be again"
        for request in list(self._waiting):
            self.answer(ef.Reject(request, UnavailableError(message)))

    def answer(self, effect: ef.Answer | ef.Reject) -> None:
        """Tell the asker, if it still waits."""
        reply = self._waiting.pop(effect.request, None)
        if reply is None or reply.done():
            return
        match effect:
            case ef.Answer():
                reply.set_result(effect.reply)
            case ef.Reject():
                reply.set_exception(effect.error)


@dataclass(frozen=True, slots=True)
class Ports:
    """What the machine's effects are carried out with."""

    store: ClusterStore
    processes: Processes
    sessions: Sessions
    replies: Replies
    clock: Clock
    remove_asset: Callable[[str], None]


class ClusterReactor(Actor[ev.Event]):
    """Feeds the machine and does what it says."""

    def __init__(self, machine: ClusterMachine, ports: Ports, tell: Callable[[ev.Event], None]) -> None:
        self._machine = machine
        self._ports = ports
        self._tell = tell
        self._stepped = asyncio.Event()
        self.alone = asyncio.Event()
        """After Closing: no controller process is left."""

    async def handle(self, message: ev.Event) -> None:
        """One event in, its effects out."""
        for effect in self._machine.handle(message, self._now()):
            self._perform(effect)
        self._stepped.set()

    async def keep_time(self, ref: Ref[ev.Event]) -> None:
        """Tell the machine when the time it waits for has come, and when nobody looked for a while."""
        while True:
            self._stepped.clear()
            if trouble := self._ports.store.trouble:
                self._ports.replies.refuse_all(trouble)
            now_ms = self._ports.clock.monotonic_ms()
            due_ms = self._machine.next_deadline_ms()
            wait_ms = STALL_MS if due_ms is None else min(max(0, due_ms - now_ms), STALL_MS)
            try:
                async with asyncio.timeout(wait_ms / 1000):
                    await self._stepped.wait()
            except TimeoutError:
                late_ms = self._ports.clock.monotonic_ms() - now_ms - wait_ms
                ref.tell(ev.Stalled() if late_ms > STALL_MS else ev.TimePassed())
                await self._stepped.wait()

    async def turn(self, ref: Ref[ev.Event]) -> None:
        """Come back when the machine has taken in an event."""
        self._stepped.clear()
        ref.tell(ev.TimePassed())
        await self._stepped.wait()

    def _perform(self, effect: ef.Effect) -> None:
        match effect:
            case ef.Save(number, changes):
                self._ports.store.save(changes).add_done_callback(partial(self._saved, number))
            case ef.Answer() | ef.Reject():
                self._ports.replies.answer(effect)
            case ef.SendController(session, message):
                self._ports.sessions.send(session, message)
            case ef.SendNode(session, assignments):
                self._ports.sessions.send(session, assignments)
            case ef.DropSession(session, reason):
                self._ports.sessions.drop(session, reason)
            case ef.Note(event, fields):
                log.info(event, **fields)
            case ef.RemoveAsset(asset_id):
                self._ports.remove_asset(asset_id)
            case ef.Alone():
                self.alone.set()
            case _:
                self._perform_on_processes(effect)

    def _perform_on_processes(self, effect: ef.ProcessEffect) -> None:
        match effect:
            case ef.SpawnController():
                self._ports.processes.spawn(effect)
            case ef.ReleaseController():
                self._ports.processes.release(effect)
            case ef.WatchController():
                self._ports.processes.watch(effect)
            case ef.EndController():
                self._ports.processes.end(effect)
            case ef.InspectStore():
                self._ports.processes.inspect(effect)
            case _:
                assert_never(effect)

    def _saved(self, number: int, done: asyncio.Future[None]) -> None:
        if done.cancelled():
            return
        match done.exception():
            case None:
                self._tell(ev.Saved(number))
            case SliceworksError() as error:
                self._tell(ev.SaveRefused(number, error))
            case error:
                raise error

    def _now(self) -> ev.Now:
        return ev.Now(self._ports.clock.monotonic_ms(), self._ports.clock.wall_ms())
