"""Asking the reader of a job whether its slicers can go on after those of an earlier run.

Only an instance knows: authors may decide it by the options.  So a child makes the slicer, as for a run, and
asks it; nothing is initialized.  A reader that cannot be made here counts as recoverable: the execution will
say what is wrong with it.
"""

from __future__ import annotations

import asyncio
import inspect
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from sliceworks.master.asking import ask_child
from sliceworks.operations.bundle import catalog_of
from sliceworks.operations.bundle_outline import AssetPlace
from sliceworks.operations.making import make_slicer
from sliceworks.operations.registry import BUILT_IN
from sliceworks.protocol.codec import pack, unpack
from sliceworks.protocol.documents import ExecutionSpec
from sliceworks.protocol.errors import InvalidError
from sliceworks.protocol.forkserver import ForkServer

TIMEOUT_SECONDS: Final = 10.0
_YES: Final = b"y"
_NO: Final = b"n"


class _Asset(Struct, frozen=True):
    asset_id: str
    name: str
    version: str
    directory: str


class _Order(Struct, frozen=True):
    document: bytes  # of an execution
    assets: list[_Asset]


def run_question(sock: socket.socket, payload: bytes) -> int:
    """The main of the child."""
    sock.sendall(_YES if asyncio.run(_is_recoverable(unpack(payload, _Order))) else _NO)
    return 0


class ReaderQuestion:
    """Asks readers in children of a fork server."""

    def __init__(self, forks: ForkServer) -> None:
        self._forks = forks

    async def __call__(self, document: bytes, assets: Sequence[AssetPlace] = ()) -> bool:
        """Whether the reader of this execution document is recoverable; InvalidError if it does not say."""
        places = [_Asset(item.asset_id, item.name, item.version, str(item.directory)) for item in assets]
        payload = pack(_Order(document, places))
        try:
            answer = await ask_child(self._forks, "reader", payload, timeout_seconds=TIMEOUT_SECONDS)
        except TimeoutError as error:
            message = f"the reader of the job did not say within {TIMEOUT_SECONDS:g} s if it is recoverable"
            raise InvalidError(message) from error
        return answer != _NO


async def _is_recoverable(order: _Order) -> bool:
    places = [
        AssetPlace(item.asset_id, item.name, item.version, Path(item.directory)) for item in order.assets
    ]
    try:
        spec = ExecutionSpec.model_validate_json(order.document)
        slicer = make_slicer(spec, catalog_of(places) if places else BUILT_IN)
        answer = slicer.is_recoverable()
        return bool(await answer if inspect.isawaitable(answer) else answer)
    except Exception:  # noqa: BLE001 - authors' code; the execution will fail with the same error, and tell it
        return True
