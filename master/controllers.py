"""The websocket of an execution controller: hello with proof, then reports up and wishes down.

Who does not know the secret of the execution's newest generation is refused, whatever it says.  A controller
of an older generation, or of another version, is told so and ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import web

from sliceworks.master.cluster import events as ev
from sliceworks.master.metrics.recent import RecentTimings
from sliceworks.master.sessions import Outbox, Sessions, refuse, until_closed
from sliceworks.master.store.contract import ClusterStore
from sliceworks.master.store.execution import SCHEMA
from sliceworks.master.store.records import Credentials
from sliceworks.protocol.channel import Channel, ChannelClosed, accept
from sliceworks.protocol.codec import Decoder
from sliceworks.protocol.errors import PeerError
from sliceworks.protocol.messages import (
    VERSION,
    ControllerHello,
    ControllerOutcome,
    ControllerReport,
    ControllerToMaster,
    OutcomeApplied,
    Ping,
)
from sliceworks.protocol.proof import proves
from sliceworks.protocol.states import TERMINAL_STATUSES

log = structlog.get_logger(__name__)

HELLO_SECONDS: Final = 10
_DECODER: Final = Decoder[ControllerToMaster](ControllerToMaster)


@dataclass(frozen=True, slots=True)
class Proved:
    """It is the controller of the newest generation."""


@dataclass(frozen=True, slots=True)
class Over:
    """It is, and its execution has ended: it may end too."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """It is, but this master cannot talk to it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stranger:
    """It is not, or no longer."""

    reason: str


Verdict = Proved | Over | Unfit | Stranger


def judge(hello: ControllerHello, credentials: Credentials | None) -> Verdict:
    """Who said this hello."""
    if credentials is None:
        return Stranger(f"there is no execution {hello.ex_id}")
    if hello.generation != credentials.generation:
        return Stranger(f"generation {hello.generation} was replaced by generation {credentials.generation}")
    if not proves(hello.proof, credentials.secret, role="controller", nonce=hello.nonce):
        return Stranger("the proof is wrong")
    if (hello.version, hello.schema) != (VERSION, SCHEMA):
        return Unfit(
            f"the master speaks version {VERSION} and schema {SCHEMA}, "
            f"the controller version {hello.version} and schema {hello.schema}"
        )
    return Over() if credentials.status in TERMINAL_STATUSES else Proved()


class ControllerSessions:
    """Accepts execution controllers."""

    def __init__(
        self,
        sessions: Sessions,
        store: ClusterStore,
        tell: Callable[[ev.Event], None],
        *,
        timings: RecentTimings,
        heartbeat_ms: int,
    ) -> None:
        self._sessions = sessions
        self._store = store
        self._tell = tell
        self._timings = timings
        self._heartbeat_ms = heartbeat_ms

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """The life of one connection."""
        async with accept(request, _DECODER, heartbeat_ms=self._heartbeat_ms) as channel:
            try:
                await self._converse(channel)
            except ChannelClosed as end:
                log.debug("controller_session_ended", reason=str(end))
            except (PeerError, TimeoutError) as error:
                log.warning(
                    "controller_refused", peer=request.remote, reason=str(error) or "it said no hello"
                )
        return channel.response

    async def _converse(self, channel: Channel[ControllerToMaster]) -> None:
        async with asyncio.timeout(HELLO_SECONDS):
            hello = await channel.receive()
        if not isinstance(hello, ControllerHello):
            error = "the first message is no hello"
            raise PeerError(error)
        match judge(hello, await self._store.credentials(hello.ex_id)):
            case Proved():
                await self._attend(hello, channel)
            case Over():
                await channel.send(OutcomeApplied())
            case Unfit(reason):
                self._tell(ev.ControllerUnfit(hello.ex_id, hello.generation, reason))
                await refuse(channel, reason)
            case Stranger(reason):
                await refuse(channel, reason)
                raise PeerError(reason)

    async def _attend(self, hello: ControllerHello, channel: Channel[ControllerToMaster]) -> None:
        with self._sessions.open() as outbox:
            self._tell(ev.ControllerAttached(hello.ex_id, hello.generation, outbox.number, hello.port))
            try:
                await until_closed(outbox, channel, lambda message: self._take(hello.ex_id, outbox, message))
            finally:
                heard_ms = channel.last_received_ms
                self._tell(ev.ControllerDetached(hello.ex_id, outbox.number, heard_ms))

    def _take(self, ex_id: str, outbox: Outbox, message: ControllerToMaster) -> None:
        match message:
            case ControllerReport():
                self._tell(ev.ControllerReported(ex_id, outbox.number, message))
            case ControllerOutcome():
                self._timings.note(ex_id, message.report.timings)
                self._tell(ev.ControllerConcluded(ex_id, outbox.number, message))
            case ControllerHello():
                error = "a second hello"
                raise PeerError(error)
            case Ping():
                pass
