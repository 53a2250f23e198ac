"""Connections as TCP and `protocol/channel.py` make them, on virtual time.

In order within a connection, in any order between two.  A direction that is blocked keeps what is sent until
it is open again; whoever hears nothing for three heartbeats closes its end, unless it was itself the one who
did not look.  The other end learns of a close only over an open path.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sliceworks.protocol.heartbeat import PERIODS_OF_SILENCE
from tests.simulation.engine import Engine, Process

SYN_RETRIES_MS: Final = (1_000, 2_000, 4_000)
CONNECT_MS: Final = 10_000
_FIN: Final = object()


class Endpoint:
    """One end of a connection; its owner sets `on_message` and `on_closed`."""

    def __init__(self, network: Network, process: Process, heartbeat_ms: int) -> None:
        self.process = process
        self.heartbeat_ms = heartbeat_ms
        self.open = True
        self.muted = False  # what it sends is dropped on the way, for good
        self.heard_ms = process.engine.now
        self.on_message: Callable[[Any], None] = lambda message: None
        self.on_closed: Callable[[], None] = lambda: None
        self.peer: Endpoint
        self._network = network
        self._last_arrival = 0
        self._stuck: list[Any] = []

    @property
    def blocked(self) -> bool:
        """Whether what it sends does not arrive now."""
        return self.muted or self._network.is_blocked(self.process.host.name, self.peer.process.host.name)

    def send(self, message: object) -> None:
        """Nothing happens if this end is closed."""
        if self.open:
            self._transmit(message)

    def close(self) -> None:
        """End it from this side: `on_closed` is not called here, but there."""
        if self.open:
            self.open = False
            self._transmit(_FIN)
            self._network.forget(self)

    def lose(self) -> None:
        """The connection is gone, and this end knows."""
        if self.open:
            self.close()
            self.on_closed()

    def flush(self) -> None:
        """The path is open again."""
        stuck, self._stuck = self._stuck, []
        for item in stuck:
            self._transmit(item)

    def watch_silence(self) -> None:
        """This end hears nothing from now on; it closes when that lasts."""
        limit_ms = PERIODS_OF_SILENCE * self.heartbeat_ms
        due = self.process.engine.now + limit_ms + self.process.engine.draw(0, self.heartbeat_ms // 4)
        self.process.engine.at(due, self.process, self._judge_silence, due)

    def _judge_silence(self, due: int) -> None:
        if not self.open or not (self.peer.blocked or self.peer.process.hanging):
            return
        if self.process.engine.now - due > self.heartbeat_ms:
            self.watch_silence()  # it was this process that did not look
        else:
            self.lose()

    def _transmit(self, item: object) -> None:
        if self.blocked:
            self._stuck.append(item)
            return
        peer = self.peer
        engine = self.process.engine
        arrival = max(peer._last_arrival, engine.now + self._network.latency())
        peer._last_arrival = arrival
        engine.at(arrival, peer.process, peer._arrive, item)

    def _arrive(self, item: object) -> None:
        if not self.open:
            return
        self.heard_ms = self.process.engine.now
        if item is not _FIN:
            self.on_message(item)
            return
        self.open = False
        self._network.forget(self)
        self.on_closed()


Accept = Callable[[Endpoint, str], None]


class Network:
    """All connections and listeners, and what is wrong with the paths between hosts."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.slow_until = 0
        self._listeners: dict[tuple[str, int], tuple[Process, Accept, int]] = {}
        self._blocked: dict[tuple[str, str], int] = {}
        self._endpoints: dict[Endpoint, None] = {}
        self._ports = 5_000

    def latency(self) -> int:
        """Mostly a millisecond or two; now and then much more."""
        draw = self.engine.random.random()
        if self.engine.now < self.slow_until:
            return int(draw * 1_500)
        if draw < 0.97:
            return int(draw * 3)
        return int((draw - 0.97) * 10_000)

    def listen(self, process: Process, accept: Accept, *, heartbeat_ms: int, port: int = 0) -> int:
        """Take connections for a process until it dies; the port, a fresh one if none is given."""
        self._ports += 1
        port = port or self._ports
        self._listeners[process.host.name, port] = process, accept, heartbeat_ms
        process.on_death(lambda _: self._stop_listening(process, port))
        return port

    def connect(
        self,
        client: Process,
        address: tuple[str, int],
        path: str,
        *,
        on_open: Callable[[Endpoint], None],
        on_fail: Callable[[], None],
    ) -> None:
        """Open a connection; exactly one of the two is called, if the client lives."""
        call = _Call(self, client, address, path, on_open=on_open, on_fail=on_fail)
        client.post(CONNECT_MS, call.give_up)
        self.engine.at(self.engine.now + self.latency(), None, call.knock, 0)

    def listener(self, address: tuple[str, int]) -> tuple[Process, Accept, int] | None:
        """Who listens there."""
        return self._listeners.get(address)

    def pair(self, client: Process, server: Process, heartbeat_ms: int) -> tuple[Endpoint, Endpoint]:
        """Two connected ends; they close when their process dies."""
        first, second = Endpoint(self, client, heartbeat_ms), Endpoint(self, server, heartbeat_ms)
        first.peer, second.peer = second, first
        for end in (first, second):
            self._endpoints[end] = None
            end.process.on_death(lambda _, end=end: end.close())  # type: ignore[misc]
        return first, second

    def forget(self, endpoint: Endpoint) -> None:
        """One end is closed."""
        self._endpoints.pop(endpoint, None)

    def endpoints(self) -> list[Endpoint]:
        """All open ends whose other end is open too."""
        return [end for end in self._endpoints if end.peer.open]

    def is_blocked(self, source: str, target: str) -> bool:
        """Whether nothing gets from one host to the other."""
        return (source, target) in self._blocked

    def block(self, source: str, target: str) -> None:
        """Drop what is sent that way, silently, until `unblock`."""
        self._blocked[source, target] = self._blocked.get((source, target), 0) + 1
        for end in self.endpoints():
            if (end.peer.process.host.name, end.process.host.name) == (source, target):
                end.watch_silence()

    def unblock(self, source: str, target: str) -> None:
        """Take one `block` back."""
        left = self._blocked.pop((source, target), 0) - 1
        if left > 0:
            self._blocked[source, target] = left
        for end in list(self._all_ends()):
            if not end.blocked:
                end.flush()

    def heal(self) -> None:
        """Every path is open."""
        for source, target in list(self._blocked):
            self._blocked[source, target] = 1
            self.unblock(source, target)

    def mute(self, end: Endpoint) -> None:
        """Make a connection half-open: what this end sends does not arrive any more."""
        end.muted = True
        end.peer.watch_silence()

    def hang(self, process: Process) -> None:
        """The peers of a process that was stopped hear nothing."""
        for end in self.endpoints():
            if end.peer.process is process:
                end.watch_silence()

    def _all_ends(self) -> dict[Endpoint, None]:
        """Also closed ends whose other end does not know."""
        return {end: None for known in self._endpoints for end in (known, known.peer)}

    def _stop_listening(self, process: Process, port: int) -> None:
        held = self._listeners.get((process.host.name, port))
        if held is not None and held[0] is process:
            del self._listeners[process.host.name, port]


class _Call:
    """One try to connect."""

    def __init__(
        self,
        network: Network,
        client: Process,
        address: tuple[str, int],
        path: str,
        *,
        on_open: Callable[[Endpoint], None],
        on_fail: Callable[[], None],
    ) -> None:
        self._network = network
        self._client = client
        self._address = address
        self._path = path
        self._on_open = on_open
        self._on_fail = on_fail
        self._over = False

    def knock(self, tries: int) -> None:
        """A SYN arrives, or is lost and sent again."""
        network, client = self._network, self._client
        if self._over or not client.alive:
            return
        target = self._address[0]
        if network.is_blocked(client.host.name, target) or network.is_blocked(target, client.host.name):
            if tries < len(SYN_RETRIES_MS):
                due = network.engine.now + SYN_RETRIES_MS[tries]
                network.engine.at(due, None, self.knock, tries + 1)
            return
        listener = network.listener(self._address)
        if listener is None:
            client.post(network.latency(), self.give_up)
            return
        process, accept, heartbeat_ms = listener
        process.post(0, self._answer, process, accept, heartbeat_ms)

    def give_up(self) -> None:
        """Refused, or no answer in time."""
        if not self._over:
            self._over = True
            self._on_fail()

    def _answer(self, process: Process, accept: Accept, heartbeat_ms: int) -> None:
        if self._over or not self._client.alive:
            return
        client_end, server_end = self._network.pair(self._client, process, heartbeat_ms)
        self._client.post(self._network.latency(), self._opened, client_end)
        accept(server_end, self._path)

    def _opened(self, end: Endpoint) -> None:
        if self._over or not end.open:
            end.close()
            self.give_up()
            return
        self._over = True
        self._on_open(end)
