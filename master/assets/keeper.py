"""Taking in assets: from the upload to the row, and from the deletion to the last file.

A zip is looked into before anything of it can be used; its files are in place before the machine lists it,
and gone only after the machine has forgotten it.  One asset is put in place or removed at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Final, Protocol

import orjson
import structlog

from sliceworks.master.assets.folder import AssetFolder
from sliceworks.master.assets.inspection import Bundles
from sliceworks.master.assets.resolving import is_at_least, misfit
from sliceworks.master.cluster.assets import already_exists, identity_of
from sliceworks.master.cluster.view import ClusterView
from sliceworks.master.commands import API_VERSION, Commands
from sliceworks.master.store.records import AssetRecord
from sliceworks.operations.archive import LIMITS, AssetManifest
from sliceworks.protocol.clock import Clock
from sliceworks.protocol.errors import (
    ConflictError,
    NotFoundError,
    SliceworksError,
    TooLargeError,
    UnavailableError,
    UnprocessableError,
)

log = structlog.get_logger(__name__)

RECEIVED_AT_ONCE: Final = 16
INSPECTIONS: Final = 2
"""Uploads that are looked into at once."""

_PIECE_BYTES: Final = 1024 * 1024


class Digest(Protocol):
    """A checksum in the making."""

    def update(self, data: bytes, /) -> None:
        """Take in more."""
        ...


@dataclass(frozen=True, slots=True)
class Stored:
    """An upload that is there."""

    asset_id: str
    is_new: bool


class AssetKeeper:
    """The assets of a master; `run` removes files as long as it runs."""

    def __init__(
        self, folder: AssetFolder, bundles: Bundles, view: ClusterView, *, commands: Commands, clock: Clock
    ) -> None:
        self._folder = folder
        self._bundles = bundles
        self._view = view
        self._commands = commands
        self._clock = clock
        self._receiving = 0
        self._inspecting = asyncio.Semaphore(INSPECTIONS)
        self._placing = asyncio.Lock()
        self._unneeded: asyncio.Queue[str] = asyncio.Queue()

    async def prepare(self, known: Collection[AssetRecord]) -> None:
        """Remove what a crash has left, and say which files are missing; ConfigError."""
        left = await asyncio.to_thread(self._folder.prepare, {asset.asset_id for asset in known})
        if left:
            log.info("asset_leftovers_removed", names=left)
        for asset in known:
            if not self._folder.is_whole(asset.asset_id):
                log.warning(
                    "asset_files_missing", asset_id=asset.asset_id, name=asset.name, version=asset.version
                )

    async def run(self) -> None:
        """Remove the files of assets that nothing needs any more."""
        while True:
            asset_id = await self._unneeded.get()
            async with self._placing:
                if not self._view.keeps_asset(asset_id):  # or it was uploaded again meanwhile
                    await self._remove(asset_id)

    def remove(self, asset_id: str) -> None:
        """Have its files removed."""
        self._unneeded.put_nowait(asset_id)

    async def save(self, pieces: AsyncIterable[bytes]) -> Stored:
        """Take in an upload; nothing is left of one that is refused.

        Raises UnprocessableError with what is wrong with it, TooLargeError, ConflictError if other bytes
        have its name and version, and UnavailableError if it cannot be written now.
        """
        try:
            return await self._take_in(pieces)
        except OSError as error:
            log.error("asset_not_stored", reason=str(error))
            message = f"the asset cannot be stored now: {error.strerror}"
            raise UnavailableError(message) from error

    async def _take_in(self, pieces: AsyncIterable[bytes]) -> Stored:
        async with self._aside() as place:
            zip_path = place / "upload.zip"
            asset_id = await self._received(pieces, zip_path)
            if self._has(asset_id):
                return Stored(asset_id, is_new=False)
            async with self._inspecting:
                asset = await self._looked_into(zip_path, asset_id)
            return await self._put(zip_path, asset)

    async def _received(self, pieces: AsyncIterable[bytes], path: Path) -> str:
        if self._receiving >= RECEIVED_AT_ONCE:
            message = f"{self._receiving} assets are being received, no more are at once: try again"
            raise UnavailableError(message)
        self._receiving += 1
        try:
            return await _receive(pieces, path)
        finally:
            self._receiving -= 1

    async def load_from(self, directory: Path) -> None:
        """Take in every zip of a folder; what is wrong with one is logged, and the others are taken in."""
        for path in sorted(await asyncio.to_thread(lambda: list(directory.glob("*.zip")))):
            try:
                stored = await self.save(_pieces_of(path))
            except ConflictError:
                log.info("asset_not_loaded", file=str(path), reason="its name and version exist already")
            except (SliceworksError, OSError) as error:
                log.error("asset_not_loaded", file=str(path), reason=str(error))
            else:
                log.info("asset_loaded", file=str(path), asset_id=stored.asset_id, is_new=stored.is_new)

    def zip_path(self, asset_id: str) -> Path:
        """The zip of an asset that is listed, or that something still needs; NotFoundError."""
        path = self._folder.zip_path(asset_id)
        if not self._view.keeps_asset(asset_id) or not path.is_file():
            message = f"Unable to find asset {asset_id}"
            raise NotFoundError(message)
        return path

    def _has(self, asset_id: str) -> bool:
        is_listed = any(asset.asset_id == asset_id for asset in self._view.assets())
        return is_listed and self._folder.is_whole(asset_id)

    async def _looked_into(self, zip_path: Path, asset_id: str) -> AssetRecord:
        """The row of a bundle that is as it should be."""
        unpacked, work = zip_path.with_name("unpacked"), zip_path.with_name("work")
        manifest = await self._bundles.check(zip_path, unpacked)
        asset = _record(asset_id, manifest, self._clock.wall_ms())
        wrong = _trouble(asset, manifest)
        if wrong:
            raise UnprocessableError(wrong)
        if any(is_other_of(asset, other) for other in self._view.assets()):
            raise already_exists(asset)
        if misfit(asset):  # it cannot be imported here, and will not be used here
            return asset
        await asyncio.to_thread(work.mkdir)
        names = await self._bundles.describe(unpacked, folder=work, asset_id=asset_id, manifest=manifest)
        return replace(asset, operations=tuple(names))

    async def _put(self, zip_path: Path, asset: AssetRecord) -> Stored:
        async with self._placing:
            if self._has(asset.asset_id):  # somebody else has sent the same
                return Stored(asset.asset_id, is_new=False)
            await asyncio.to_thread(self._put_files, zip_path, asset.asset_id)
            try:
                await self._commands.add_asset(asset)
            except SliceworksError:
                if not self._view.keeps_asset(asset.asset_id):
                    await self._remove(asset.asset_id)
                raise
        return Stored(asset.asset_id, is_new=True)

    def _put_files(self, zip_path: Path, asset_id: str) -> None:
        """The bytes are looked at once more: strangers' code has run beside them."""
        with zip_path.open("rb") as file:
            if hashlib.file_digest(file, "sha1").hexdigest() != asset_id:
                message = "the bundle has changed its own zip while it was imported"
                raise UnprocessableError(message)
        self._folder.put(zip_path, asset_id)

    async def _remove(self, asset_id: str) -> None:
        try:
            await asyncio.to_thread(self._folder.remove, asset_id)
        except OSError as error:
            log.warning("asset_not_removed", asset_id=asset_id, reason=error.strerror)

    @contextlib.asynccontextmanager
    async def _aside(self) -> AsyncIterator[Path]:
        """A fresh folder; nothing is left of it."""
        place = await asyncio.to_thread(self._folder.make_aside)
        try:
            yield place
        finally:
            await asyncio.to_thread(self._folder.discard, place)


async def _receive(pieces: AsyncIterable[bytes], path: Path) -> str:
    """Write what comes to a file; its SHA-1.  TooLargeError."""
    digest = hashlib.sha1(usedforsecurity=False)
    waiting, size = bytearray(), 0
    with path.open("wb") as file:
        async for piece in pieces:
            size += len(piece)
            if size > LIMITS.zip_bytes:
                raise too_large()
            waiting += piece
            if len(waiting) >= _PIECE_BYTES:
                await asyncio.to_thread(_write, file, bytes(waiting), digest)
                waiting.clear()
        await asyncio.to_thread(_write, file, bytes(waiting), digest)
    return digest.hexdigest()


def too_large() -> TooLargeError:
    """Of an upload that is larger than any asset may be."""
    return TooLargeError(f"the zip is larger than {LIMITS.zip_bytes} bytes, the most that an asset may have")


def is_other_of(asset: AssetRecord, other: AssetRecord) -> bool:
    """Whether other bytes say that they are the same asset."""
    return other.asset_id != asset.asset_id and identity_of(other) == identity_of(asset)


def _write(file: BinaryIO, piece: bytes, digest: Digest) -> None:
    digest.update(piece)
    file.write(piece)


async def _pieces_of(path: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
            yield piece


def _record(asset_id: str, manifest: AssetManifest, created_ms: int) -> AssetRecord:
    return AssetRecord(
        asset_id=asset_id,
        name=manifest.name,
        version=manifest.version,
        created_ms=created_ms,
        description=manifest.description,
        python_version=manifest.python_version,
        platform=manifest.platform,
        arch=manifest.arch,
        document=orjson.dumps(dict(manifest.document)),
    )


def _trouble(asset: AssetRecord, manifest: AssetManifest) -> str:
    """Why an asset can never be used by this master; "" if it can."""
    minimum = manifest.minimum_teraslice_version
    if minimum and not is_at_least(API_VERSION, minimum):
        return f"Asset requires teraslice version {minimum} or greater."
    try:
        misfit(asset)
    except ValueError as error:
        return str(error)
    return ""
