"""The connection of one pool to its execution's controller: opened again and again, for ever.

| step                 | what is said                                                                      |
| -------------------- | --------------------------------------------------------------------------------- |
| connected            | LinkHello: every lease held, and a proof that we know the secret                  |
| welcomed             | the controller's own proof is checked; PeerFound, so that the pool repeats itself |
| connection lost      | PeerLost; a new try after a back-off                                              |
| aimed somewhere else | the connection is dropped, a new one is opened at once                            |

One task does all this in order, and tells the pool everything through its one mailbox: when the pool is
asked for the leases of a hello, it has handled every frame of the connection before, and no frame of that
one comes later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from typing import Final, TypeAlias, assert_never

import aiohttp
import structlog
from msgspec import Struct
from yarl import URL

from sliceworks.protocol.channel import Backoff, Channel, ChannelClosed, connect, stay_cancelled
from sliceworks.protocol.codec import Decoder
from sliceworks.protocol.errors import PeerError, ProtocolError
from sliceworks.protocol.messages import (
    CONTROLLER_ENDS,
    VERSION,
    AckResults,
    ControllerToDaemon,
    LinkHello,
    LinkWelcome,
    Ping,
    RecallSlices,
    Refused,
    RunSlices,
)
from sliceworks.protocol.proof import new_nonce, proof_of, proves
from sliceworks.worker.events import Peer, PeerFound, PeerLost, Recalled, ResultsAcked, SlicesGranted
from sliceworks.worker.leases import Lease
from sliceworks.worker.outbox import Outbox

WELCOME_SECONDS: Final = 10

_decoder: Final[Decoder[ControllerToDaemon]] = Decoder(ControllerToDaemon)
_hello_numbers: Final = count(1)  # over all links of this process, which is one incarnation

log = structlog.get_logger(__name__)

Told: TypeAlias = PeerFound | PeerLost | SlicesGranted | Recalled | ResultsAcked


@dataclass(frozen=True, slots=True)
class Target:
    """Where the controller of one generation listens, and what proves that it is the one."""

    generation: int
    host: str
    port: int
    secret: bytes


@dataclass(frozen=True, slots=True)
class Caller:
    """Who connects."""

    session: aiohttp.ClientSession
    heartbeat_ms: int
    ex_id: str
    node_id: str
    incarnation: str
    hostname: str


class Link:
    """Connects to its target while `run` runs; `tell` and `held` are the pool's."""

    def __init__(
        self,
        caller: Caller,
        target: Target,
        *,
        tell: Callable[[Told], None],
        held: Callable[[], Awaitable[list[Lease]]],
    ) -> None:
        self._caller = caller
        self._target = target
        self._tell = tell
        self._held = held
        self._aimed = asyncio.Event()
        self._outbox: Outbox[ControllerToDaemon] | None = None
        self._complained = False
        self._log = log.bind(ex_id=caller.ex_id)

    def aim(self, target: Target) -> None:
        """Connect there from now on."""
        if target != self._target:
            self._target = target
            self._aimed.set()

    def send(self, message: Struct) -> None:
        """Send in order on the connection that there is; without one the message is dropped."""
        if self._outbox:
            self._outbox.put(message)

    async def run(self) -> None:
        """Connect, and connect again, until cancelled."""
        while True:
            self._aimed.clear()
            async with asyncio.TaskGroup() as group:
                tries = group.create_task(self._keep_trying(self._target), name="link-tries")
                await self._aimed.wait()
                tries.cancel()

    async def _keep_trying(self, target: Target) -> None:
        backoff = Backoff()
        while True:
            try:
                await self._connect(target, backoff)
            except* ProtocolError as errors:
                self._note_end(target, _reason_of(errors))
            stay_cancelled()
            await asyncio.sleep(backoff.next_seconds())

    async def _connect(self, target: Target, backoff: Backoff) -> None:
        url = URL.build(scheme="http", host=target.host, port=target.port, path="/_ws/link")
        caller = self._caller
        async with connect(caller.session, str(url), _decoder, heartbeat_ms=caller.heartbeat_ms) as channel:
            await self._introduce(channel, target)
            backoff.reset()
            self._complained = False
            self._log.info("controller_connected", url=str(url), generation=target.generation)
            await self._converse(channel)

    async def _introduce(self, channel: Channel[ControllerToDaemon], target: Target) -> None:
        nonce = new_nonce()
        await channel.send(self._hello(target, nonce, await self._held()))
        try:
            async with asyncio.timeout(WELCOME_SECONDS):
                welcome = await channel.receive()
        except TimeoutError as error:
            message = f"the controller did not welcome this node within {WELCOME_SECONDS} s"
            raise PeerError(message) from error
        _check_welcome(welcome, target, nonce)

    def _hello(self, target: Target, nonce: bytes, held: list[Lease]) -> LinkHello:
        caller = self._caller
        return LinkHello(
            version=VERSION,
            ex_id=caller.ex_id,
            generation=target.generation,
            nonce=nonce,
            proof=proof_of(target.secret, "daemon", nonce),
            node_id=caller.node_id,
            incarnation=caller.incarnation,
            hostname=caller.hostname,
            held_seqs=[seq for seq, _ in held],
            held_epochs=[epoch for _, epoch in held],
            number=next(_hello_numbers),
        )

    async def _converse(self, channel: Channel[ControllerToDaemon]) -> None:
        self._outbox = Outbox(channel)
        self._tell(PeerFound(Peer.CONTROLLER))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._outbox.send_all(), name="link-send")
                while True:
                    self._tell(_event_of(await channel.receive()))
        finally:
            self._outbox = None
            self._tell(PeerLost(Peer.CONTROLLER))

    def _note_end(self, target: Target, reason: str) -> None:
        """Complain once, until it works again; an end that the controller announced is no complaint."""
        if reason == CONTROLLER_ENDS:
            self._log.info("controller_ended", generation=target.generation)
            return
        if self._complained:
            return
        self._complained = True
        where = f"{target.host}:{target.port}"
        self._log.warning(
            "controller_unreachable", controller=where, generation=target.generation, reason=reason
        )


def _check_welcome(message: ControllerToDaemon, target: Target, nonce: bytes) -> None:
    """PeerError unless this is the controller that knows the secret."""
    if isinstance(message, Refused):
        raise ChannelClosed(message.reason)
    if not isinstance(message, LinkWelcome):
        text = f"the controller began with {type(message).__name__} instead of a welcome"
        raise PeerError(text)
    if message.version != VERSION:
        text = f"the controller speaks protocol version {message.version}, this node {VERSION}"
        raise PeerError(text)
    if not proves(message.proof, target.secret, role="controller", nonce=nonce):
        text = "whoever answers there does not know the secret of this execution's controller"
        raise PeerError(text)


def _event_of(message: ControllerToDaemon) -> Told:
    match message:
        case RunSlices():
            return SlicesGranted(message)
        case AckResults():
            return ResultsAcked(message.batch)
        case RecallSlices():
            return Recalled(message.count)
        case Refused():
            raise ChannelClosed(message.reason)
        case LinkWelcome() | Ping():
            text = f"{type(message).__name__} out of place"
            raise PeerError(text)
        case _ as never:
            assert_never(never)


def _reason_of(error: Exception) -> str:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return str(error)
