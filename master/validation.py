"""Checking a job in a child process: it may look at files and run authors' code, which a daemon never does.

The child gets the job as JSON, with the places of its assets, and answers with the document that has every
default, or with all faults.  A check that hangs or dies harms nothing: it is killed, and the job refused with
that reason.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import orjson
from msgspec import Struct

from sliceworks.master.asking import ask_child
from sliceworks.operations.bundle_outline import AssetPlace
from sliceworks.operations.failure import capped
from sliceworks.operations.validation import validate_job
from sliceworks.protocol.codec import pack, unpack
from sliceworks.protocol.errors import Fault, InvalidError
from sliceworks.protocol.forkserver import ForkServer

TIMEOUT_SECONDS: Final = 10.0


class _Asset(Struct, frozen=True):
    """An asset of the job: how the job writes it, and where it is unpacked."""

    identifier: str
    asset_id: str
    name: str
    version: str
    directory: str

    @property
    def place(self) -> AssetPlace:
        """As operations know it."""
        return AssetPlace(self.asset_id, self.name, self.version, Path(self.directory))


class _Order(Struct, frozen=True):
    """What a child is to check."""

    document: bytes
    assets: list[_Asset]


def run_validation(sock: socket.socket, payload: bytes) -> int:
    """The main of the child."""
    order = unpack(payload, _Order)
    assets = [(asset.identifier, asset.place) for asset in order.assets]
    try:
        answer: dict[str, Any] = {"document": validate_job(orjson.loads(order.document), assets=assets)}
    except InvalidError as error:
        faults = [[capped(fault.path), capped(fault.message)] for fault in error.faults]
        answer = {"message": capped(str(error)), "faults": faults}
    sock.sendall(orjson.dumps(answer))
    return 0


class JobValidator:
    """Checks jobs in children of a fork server."""

    def __init__(self, forks: ForkServer, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._forks = forks
        self._timeout_seconds = timeout_seconds

    async def __call__(
        self, document: bytes, assets: Sequence[tuple[str, AssetPlace]] = ()
    ) -> dict[str, Any]:
        """The job with every default filled in; InvalidError with all faults.

        `assets` are those of the job: each as the job writes it, and where it is unpacked.
        """
        order = _Order(document, [_asset(identifier, place) for identifier, place in assets])
        try:
            answer = await ask_child(
                self._forks, "validate", pack(order), timeout_seconds=self._timeout_seconds
            )
        except TimeoutError as error:
            message = f"the validation of the job took longer than {self._timeout_seconds:g} s and was ended"
            raise InvalidError(message) from error
        return _document_of(answer)


def _asset(identifier: str, place: AssetPlace) -> _Asset:
    return _Asset(identifier, place.asset_id, place.name, place.version, str(place.directory))


def _document_of(answer: bytes) -> dict[str, Any]:
    if not answer:
        message = "the validation of the job ended without an answer: an operation ended its process"
        raise InvalidError(message)
    read = orjson.loads(answer)
    if "document" in read:
        document: dict[str, Any] = read["document"]
        return document
    raise InvalidError(read["message"], tuple(Fault(path, message) for path, message in read["faults"]))
