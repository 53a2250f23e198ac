"""Asking the reader of a job whether its slicers can go on after those of an earlier run.

Only an instance knows: authors may decide it by the options.  So a child makes the slicer, as for a run, and
asks it; nothing is initialized.  A reader that cannot be made here counts as recoverable: the execution will
say what is wrong with it.
"""

from __future__ import annotations

import asyncio
import inspect
import socket
from pathlib import Path
from typing import Final

from msgspec import Struct

from sliceworks.master.asking import ask_child
from sliceworks.master.assets.folder import AssetFolder
from sliceworks.operations.bundle import catalog_of, place_at
from sliceworks.operations.making import make_slicer
from sliceworks.protocol.codec import pack, unpack
from sliceworks.protocol.documents import ExecutionSpec
from sliceworks.protocol.errors import InvalidError
from sliceworks.protocol.forkserver import ForkServer

TIMEOUT_SECONDS: Final = 10.0
_YES: Final = b"y"
_NO: Final = b"n"


class _Order(Struct, frozen=True):
    """Whom to ask."""

    document: bytes  # of an execution
    directories: list[str]  # of its assets


def run_question(sock: socket.socket, payload: bytes) -> int:
    """The main of the child."""
    sock.sendall(_YES if asyncio.run(_is_recoverable(unpack(payload, _Order))) else _NO)
    return 0


class ReaderQuestion:
    """Asks readers in children of a fork server."""

    def __init__(self, forks: ForkServer, folder: AssetFolder) -> None:
        self._forks = forks
        self._folder = folder

    async def __call__(self, document: bytes) -> bool:
        """Whether the reader of this execution document is recoverable; InvalidError if it does not say."""
        assets = ExecutionSpec.model_validate_json(document).assets or ()
        directories = [str(self._folder.directory(asset_id)) for asset_id in assets]
        payload = pack(_Order(document, directories))
        try:
            answer = await ask_child(self._forks, "reader", payload, timeout_seconds=TIMEOUT_SECONDS)
        except TimeoutError as error:
            message = f"the reader of the job did not say within {TIMEOUT_SECONDS:g} s if it is recoverable"
            raise InvalidError(message) from error
        return answer != _NO


async def _is_recoverable(order: _Order) -> bool:
    try:
        spec = ExecutionSpec.model_validate_json(order.document)
        catalog = catalog_of([place_at(Path(directory)) for directory in order.directories])
        answer = make_slicer(spec, catalog).is_recoverable()
        return bool(await answer if inspect.isawaitable(answer) else answer)
    except Exception:  # noqa: BLE001 - authors' code; the execution will fail with the same error, and tell it
        return True
