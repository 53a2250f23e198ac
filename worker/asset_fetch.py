"""Fetches the bytes of an asset from the master, and checks that they are what its id says."""

from __future__ import annotations

import asyncio
import hashlib
from http import HTTPStatus
from pathlib import Path
from typing import Final

import aiohttp
from yarl import URL

_PIECE: Final = 1024 * 1024
_SILENCE_SECONDS: Final = 30
_FOR_GOOD: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE, HTTPStatus.BAD_REQUEST})


class AssetError(Exception):
    """An asset cannot be had, and waiting does not help; the text is for operators."""


class AssetDelayError(Exception):
    """An asset cannot be had now, but may be later; the text is for operators."""


class Fetcher:
    """Knows the way to the master."""

    def __init__(self, session: aiohttp.ClientSession, master: URL, *, limit_bytes: int) -> None:
        self._session = session
        self._master = master
        self._limit_bytes = limit_bytes

    async def __call__(self, asset_id: str, path: Path) -> None:
        """Write the zip to `path`; AssetError or AssetDelayError, and then the file may hold anything."""
        url = self._master / "_assets" / f"{asset_id}.zip"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_SILENCE_SECONDS, sock_read=_SILENCE_SECONDS)
        try:
            async with self._session.get(url, timeout=timeout) as response:
                _check_status(asset_id, response.status)
                digest = await self._write(response.content, path)
        except (aiohttp.ClientError, TimeoutError) as error:
            message = f"asset {asset_id} cannot be fetched from {self._master}: {_shown(error)}"
            raise AssetDelayError(message) from error
        if digest != asset_id:
            message = f"asset {asset_id} came from the master with the digest {digest}: upload it again"
            raise AssetError(message)

    async def _write(self, content: aiohttp.StreamReader, path: Path) -> str:
        digest, size = hashlib.sha1(usedforsecurity=False), 0
        with path.open("wb") as file:
            async for piece in content.iter_chunked(_PIECE):
                size += len(piece)
                if size > self._limit_bytes:
                    message = f"an asset came from the master with more than {self._limit_bytes} bytes"
                    raise AssetError(message)
                digest.update(piece)
                await asyncio.to_thread(file.write, piece)
        return digest.hexdigest()


def _check_status(asset_id: str, status: int) -> None:
    if status == HTTPStatus.OK:
        return
    if status in _FOR_GOOD:
        message = f"the master does not have asset {asset_id} (status {status}): upload it again"
        raise AssetError(message)
    message = f"asset {asset_id} cannot be fetched: the master answers with status {status}"
    raise AssetDelayError(message)


def _shown(error: Exception) -> str:
    return str(error) or f"no answer for {_SILENCE_SECONDS} s"
