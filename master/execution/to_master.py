"""The controller's connection to its master: reports up, wishes down.

The master may be away for as long as it likes: the execution goes on, and the newest report, or the outcome,
is sent when it is back.  The conversation ends with the outcome applied, with the master's order to save and
end, or with a refusal, which means that another generation has taken over.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

import aiohttp
import structlog

from sliceworks.master.execution.events import Event
from sliceworks.master.execution.start import ControllerStart
from sliceworks.master.store.execution import SCHEMA
from sliceworks.protocol.channel import Backoff, Channel, ChannelClosed, connect, stay_cancelled
from sliceworks.protocol.codec import Decoder
from sliceworks.protocol.errors import PeerError
from sliceworks.protocol.messages import (
    VERSION,
    ControllerHello,
    ControllerOutcome,
    ControllerReport,
    MasterToController,
    OutcomeApplied,
    Ping,
    Refused,
    SaveAndEnd,
    Wishes,
)
from sliceworks.protocol.proof import new_nonce, proof_of

log = structlog.get_logger(__name__)

CONTROLLER_PATH: Final = "/_ws/controller"
REPORT_SECONDS: Final = 0.2


class End(Enum):
    """Why the conversation is over."""

    APPLIED = auto()
    SAVE = auto()
    REFUSED = auto()


class MasterSession:
    """Talks to the master until one of the ends is reached."""

    def __init__(
        self,
        start: ControllerStart,
        port: int,
        *,
        report: Callable[[], ControllerReport],
        tell: Callable[[Event], None],
    ) -> None:
        self._start = start
        self._port = port
        self._report = report
        self._tell = tell
        self._outcome: tuple[str, str] | None = None
        self._lost = False
        self._changed = asyncio.Event()
        self._urgent = asyncio.Event()

    def note_change(self) -> None:
        """Something that a report shows may have changed."""
        self._changed.set()

    def report_now(self) -> None:
        """Send the next report without waiting."""
        self._changed.set()
        self._urgent.set()

    def finish(self, status: str, failure: str) -> None:
        """The outcome is durable: tell it until it is applied."""
        self._outcome = (status, failure)
        self.report_now()

    async def run(self) -> End:
        """Keep connected until the end."""
        backoff = Backoff()
        async with aiohttp.ClientSession() as session:
            while True:
                end = await self._converse_once(session, backoff)
                if end is not None:
                    return end
                stay_cancelled()
                await asyncio.sleep(backoff.next_seconds())

    async def _converse_once(self, session: aiohttp.ClientSession, backoff: Backoff) -> End | None:
        decoder = Decoder[MasterToController](MasterToController)
        url = self._start.master_url + CONTROLLER_PATH
        try:
            async with connect(session, url, decoder, heartbeat_ms=self._start.heartbeat_ms) as channel:
                await channel.send(self._hello())
                log.info("master_connected")
                self._lost = False
                backoff.reset()
                return await self._converse(channel)
        except (ChannelClosed, PeerError) as error:
            self._note_lost(str(error))
            return None

    async def _converse(self, channel: Channel[MasterToController]) -> End | None:
        self.report_now()
        end: End | None = None
        try:
            async with asyncio.TaskGroup() as group:
                sender = group.create_task(self._send_reports(channel), name="reports")
                end = await self._receive(channel)
                sender.cancel()
        except* (ChannelClosed, PeerError) as errors:
            self._note_lost(str(errors.exceptions[0]))
        return end

    def _note_lost(self, reason: str) -> None:
        """Say it once, not at each try."""
        if not self._lost:
            log.warning("master_lost", reason=reason)
        self._lost = True

    async def _receive(self, channel: Channel[MasterToController]) -> End:
        while True:
            match await channel.receive():
                case Wishes() as wishes:
                    self._tell(wishes)
                case OutcomeApplied():
                    return End.APPLIED
                case SaveAndEnd():
                    return End.SAVE
                case Refused(reason):
                    log.warning("refused_by_master", reason=reason)
                    return End.REFUSED
                case Ping():
                    pass

    async def _send_reports(self, channel: Channel[MasterToController]) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            self._urgent.clear()
            report = self._report()
            await channel.send(ControllerOutcome(*self._outcome, report) if self._outcome else report)
            await self._pause()

    async def _pause(self) -> None:
        """Between two reports; cut short when the next one is urgent."""
        try:
            async with asyncio.timeout(REPORT_SECONDS):
                await self._urgent.wait()
        except TimeoutError:
            return

    def _hello(self) -> ControllerHello:
        nonce = new_nonce()
        return ControllerHello(
            version=VERSION,
            schema=SCHEMA,
            ex_id=self._start.ex_id,
            generation=self._start.generation,
            nonce=nonce,
            proof=proof_of(self._start.secret, "controller", nonce),
            pid=os.getpid(),
            port=self._port,
        )
