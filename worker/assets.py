"""The assets of this node: fetched once from the master, checked, unpacked, removed when nobody needs them.

| an asset is | means                                       | left by                                     |
| ----------- | ------------------------------------------- | ------------------------------------------- |
| absent      | nothing here can be used                    | somebody needs it: arriving                 |
| arriving    | one task checks what is here, or fetches it | whole: ready; cannot be had: absent         |
| ready       | its files are those that the master gave    | unused for long, or too many unused: absent |

All executions that need an asset wait for the same task.  An asset becomes visible as a whole, by one rename;
what a crash leaves lies in `.node/work/` and is removed at the next start.  What is found at a start is
compared with the digest noted when it was unpacked, and fetched again if anything differs.  Only what this
daemon has noted is ever replaced or removed: a folder without a note is another's, perhaps the master's.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import structlog

from sliceworks.operations.archive import unpack
from sliceworks.protocol.channel import Backoff
from sliceworks.protocol.clock import Clock
from sliceworks.protocol.daemon import lock_data_dir
from sliceworks.protocol.errors import UnprocessableError
from sliceworks.protocol.ids import new_id
from sliceworks.worker.asset_fetch import AssetDelayError, AssetError
from sliceworks.worker.asset_notes import AssetNote, note_of, read_note, write_note

KEEP_UNUSED_MS: Final = 24 * 3_600_000
KEEP_UNUSED_BYTES: Final = 2 * 1024**3
LOOK_SECONDS: Final = 3_600
OWN_FOLDER: Final = ".node"

log = structlog.get_logger(__name__)

Fetch: TypeAlias = Callable[[str, Path], Awaitable[None]]
Delayed: TypeAlias = Callable[[str], None]


@dataclass(slots=True)
class _Arrival:
    """An asset on its way; whoever waits for it is told why it takes long."""

    outcome: asyncio.Future[AssetError | None]
    waiting: list[Delayed] = field(default_factory=list)
    reason: str = ""

    def delay(self, reason: str) -> None:
        self.reason = reason
        for tell in self.waiting:
            tell(reason)


class Assets:
    """All assets of a node.  Made by `open`."""

    def __init__(self, folder: Path, fetch: Fetch, clock: Clock, *, group: asyncio.TaskGroup) -> None:
        self._folder = folder
        self._notes = folder / OWN_FOLDER
        self._work = folder / OWN_FOLDER / "work"
        self._fetch = fetch
        self._clock = clock
        self._group = group
        self._ready: set[str] = set()
        self._arrivals: dict[str, _Arrival] = {}
        self._users: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, folder: Path, fetch: Fetch, clock: Clock) -> AsyncIterator[Assets]:
        """The assets below `folder`, for as long as the block lasts; ConfigError if another daemon has them.

        `fetch` writes the bytes of an asset to a file, see `asset_fetch.py`.
        """
        with lock_data_dir(folder / OWN_FOLDER):
            group = asyncio.TaskGroup()
            assets = cls(folder, fetch, clock, group=group)
            shutil.rmtree(assets._work, ignore_errors=True)
            assets._work.mkdir()
            async with group:
                assets._start(assets._keep_small(), "assets")
                try:
                    yield assets
                finally:
                    for task in assets._tasks:
                        task.cancel()

    def directory(self, asset_id: str) -> Path:
        """Where the asset is, or will be."""
        return self._folder / asset_id

    @contextlib.contextmanager
    def used(self, asset_ids: Iterable[str]) -> Iterator[None]:
        """While the block lasts, these are not removed."""
        users = Counter(asset_ids)
        self._users += users
        try:
            yield
        finally:
            self._users -= users
            for asset_id in users:
                with contextlib.suppress(OSError):
                    os.utime(self._note(asset_id))

    async def wait_for(self, asset_ids: Iterable[str], delayed: Delayed) -> None:
        """Until all are ready; AssetError.  `delayed` is told why it takes long, and "" at the end."""
        for asset_id in asset_ids:
            if asset_id not in self._ready or not self.directory(asset_id).is_dir():
                await self._wait(asset_id, delayed)

    async def _wait(self, asset_id: str, delayed: Delayed) -> None:
        arrival = self._arrivals.get(asset_id) or self._begin(asset_id)
        arrival.waiting.append(delayed)
        if arrival.reason:
            delayed(arrival.reason)
        try:
            error = await asyncio.shield(arrival.outcome)
        finally:
            arrival.waiting.remove(delayed)
        if error is not None:
            raise AssetError(*error.args)
        if arrival.reason:
            delayed("")

    def _begin(self, asset_id: str) -> _Arrival:
        arrival = _Arrival(asyncio.get_running_loop().create_future())
        self._arrivals[asset_id] = arrival
        self._start(self._arrive(asset_id, arrival), f"asset-{asset_id}")
        return arrival

    async def _arrive(self, asset_id: str, arrival: _Arrival) -> None:
        error: AssetError | None = None
        try:
            if not await asyncio.to_thread(self._is_whole, asset_id):
                await self._bring(asset_id, arrival)
            self._ready.add(asset_id)
        except AssetError as reason:
            error = reason
        except BaseException:
            arrival.outcome.cancel()
            raise
        finally:
            del self._arrivals[asset_id]
        arrival.outcome.set_result(error)

    async def _bring(self, asset_id: str, arrival: _Arrival) -> None:
        backoff = Backoff()
        work = self._work / new_id()
        work.mkdir()
        try:
            while True:
                try:
                    await self._fetch(asset_id, work / "zip")
                    break
                except AssetDelayError as error:
                    if str(error) != arrival.reason:
                        log.warning("asset_delayed", asset_id=asset_id, reason=str(error))
                        arrival.delay(str(error))
                    await asyncio.sleep(backoff.next_seconds())
            await asyncio.to_thread(self._unpack, asset_id, work)
        except (OSError, UnprocessableError) as error:
            message = f"asset {asset_id} cannot be unpacked on this host: {error}"
            raise AssetError(message) from error
        finally:
            await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)
        log.info("asset_fetched", asset_id=asset_id)

    def _unpack(self, asset_id: str, work: Path) -> None:
        """The note comes first: a folder without one would count as somebody else's for ever."""
        new, old, place = work / "new", work / "old", self.directory(asset_id)
        unpack(work / "zip", new)
        write_note(self._note(asset_id), note_of(new))
        if place.exists():
            place.rename(old)
        new.rename(place)

    def _is_whole(self, asset_id: str) -> bool:
        place = self.directory(asset_id)
        note = read_note(self._note(asset_id))
        if note is None:
            return place.is_dir()
        try:
            is_so = place.is_dir() and note_of(place) == note
        except OSError:
            is_so = False
        if not is_so and place.exists():
            log.warning("asset_damaged", asset_id=asset_id, directory=str(place))
        return is_so

    # --- bounded disk

    async def _keep_small(self) -> None:
        while True:
            for asset_id in self._superfluous():
                if not self._is_needed(asset_id):
                    await self._remove(asset_id)
            await asyncio.sleep(LOOK_SECONDS)

    def _superfluous(self) -> list[str]:
        """Unused for long; or unused for longest, if all the unused ones together are too large."""
        too_old = self._clock.wall_ms() - KEEP_UNUSED_MS
        found, kept_bytes = [], 0
        for used_ms, asset_id, note in sorted(self._unused(), key=lambda item: item[:2], reverse=True):
            kept_bytes += note.size
            if used_ms < too_old or kept_bytes > KEEP_UNUSED_BYTES:
                found.append(asset_id)
        return found

    def _unused(self) -> Iterator[tuple[int, str, AssetNote]]:
        for path in self._notes.glob("*.json"):
            note = read_note(path)
            if note is not None and not self._is_needed(path.stem):
                yield path.stat().st_mtime_ns // 1_000_000, path.stem, note

    def _is_needed(self, asset_id: str) -> bool:
        return bool(self._users[asset_id]) or asset_id in self._arrivals

    async def _remove(self, asset_id: str) -> None:
        """Out of sight at once; a crash after that leaves nothing that counts."""
        self._ready.discard(asset_id)
        gone = self._work / new_id()
        with contextlib.suppress(FileNotFoundError):
            self.directory(asset_id).rename(gone)
        self._note(asset_id).unlink(missing_ok=True)
        await asyncio.to_thread(shutil.rmtree, gone, ignore_errors=True)
        log.info("asset_removed", asset_id=asset_id, reason="no execution here needs it")

    def _note(self, asset_id: str) -> Path:
        return self._notes / f"{asset_id}.json"

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = self._group.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
