"""Looking into uploads, in children: first the zip, by our own code; then the bundle, by its own.

The two are never in one process: what the zip says of itself is read where no stranger's code can change it.
"""

from __future__ import annotations

import socket
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import msgspec
from msgspec import Struct

from sliceworks.master.asking import ask_child
from sliceworks.master.assets.confined import ConfinedError, Confinement, run_confined
from sliceworks.operations.archive import AssetManifest, check_zip, unpack_into
from sliceworks.operations.bundle import BundleDescription, inspect_bundle
from sliceworks.protocol.codec import pack
from sliceworks.protocol.codec import unpack as decode
from sliceworks.protocol.errors import SliceworksError, UnavailableError, UnprocessableError
from sliceworks.protocol.forkserver import ForkServer
from sliceworks.protocol.process import die_with_parent

CHECK_SECONDS: Final = 120.0
"""For the largest zip that is allowed, on a slow disk."""

IMPORT_SECONDS: Final = 20.0
IMPORT_MEMORY_BYTES: Final = 1024**3
IMPORT_FILE_BYTES: Final = 16 * 1024**2
_MARGIN_SECONDS: Final = 5.0

T = TypeVar("T")


class ImportLimits(Struct, frozen=True):
    """What the import of a bundle may use."""

    seconds: float = IMPORT_SECONDS
    memory_bytes: int = IMPORT_MEMORY_BYTES
    file_bytes: int = IMPORT_FILE_BYTES


class _CheckOrder(Struct, frozen=True):
    zip_path: str
    target: str


class _ImportOrder(Struct, frozen=True):
    directory: str
    folder: str  # where the code works
    asset_id: str
    name: str
    version: str
    limits: ImportLimits


class _Answer(Struct, frozen=True):
    """Of a child: what was asked for, or why it cannot be had."""

    found: msgspec.Raw = msgspec.Raw(b"null")
    refusal: str = ""
    trouble: str = ""  # not the bundle's


class Bundles(Protocol):
    """Looks into uploads."""

    async def check(self, zip_path: Path, target: Path) -> AssetManifest:
        """Check a zip and unpack it; UnprocessableError is the zip's fault, UnavailableError ours."""
        ...

    async def describe(
        self, directory: Path, *, folder: Path, asset_id: str, manifest: AssetManifest
    ) -> list[str]:
        """The names of a bundle's operations, which are imported; UnprocessableError says what is wrong."""
        ...


class BundleInspector:
    """The `Bundles` of a master."""

    def __init__(self, forks: ForkServer, limits: ImportLimits | None = None) -> None:
        self._forks = forks
        self._limits = limits or ImportLimits()

    async def check(self, zip_path: Path, target: Path) -> AssetManifest:
        """See `Bundles`."""
        order = _CheckOrder(str(zip_path), str(target))
        found = await self._ask("check_asset", order, dict[str, Any], seconds=CHECK_SECONDS)
        return AssetManifest(**found)

    async def describe(
        self, directory: Path, *, folder: Path, asset_id: str, manifest: AssetManifest
    ) -> list[str]:
        """See `Bundles`."""
        order = _ImportOrder(
            str(directory), str(folder), asset_id, manifest.name, manifest.version, limits=self._limits
        )
        seconds = self._limits.seconds + _MARGIN_SECONDS
        found = await self._ask("import_asset", order, BundleDescription, seconds=seconds)
        return sorted({operation.name for operation in found.operations})

    async def _ask(self, target: str, order: Struct, kind: type[T], *, seconds: float) -> T:
        try:
            answer = await ask_child(self._forks, target, pack(order), timeout_seconds=seconds)
        except TimeoutError as error:
            message = f"looking into the bundle took longer than {seconds:g} s and was ended"
            raise UnprocessableError(message) from error
        return _found(answer, kind)


def run_check(sock: socket.socket, payload: bytes) -> int:
    """The main of the child that checks a zip."""
    die_with_parent()  # or it would write into what the next master sweeps
    order = decode(payload, _CheckOrder)
    try:
        manifest = check_zip(Path(order.zip_path))
        Path(order.target).mkdir()
        unpack_into(Path(order.zip_path), Path(order.target))
    except SliceworksError as error:
        sock.sendall(_refused(str(error)))
        return 0
    except OSError as error:
        sock.sendall(
            msgspec.json.encode(_Answer(trouble=f"the asset cannot be unpacked now: {error.strerror}"))
        )
        return 0
    sock.sendall(_answered(asdict(manifest)))
    return 0


def run_import(sock: socket.socket, payload: bytes) -> int:
    """The main of the child that has a bundle imported."""
    die_with_parent()
    order = decode(payload, _ImportOrder)
    limits = order.limits
    confinement = Confinement(limits.seconds, limits.memory_bytes, limits.file_bytes, Path(order.folder))
    try:
        answer = run_confined(lambda: _import(order), confinement)
    except ConfinedError as error:
        answer = _refused(f"asset {order.name}:{order.version} cannot be loaded: its import {error}")
    sock.sendall(answer)
    return 0


def _import(order: _ImportOrder) -> bytes:
    """Runs strangers' code, which may raise anything."""
    where = f"asset {order.name}:{order.version} cannot be loaded"
    try:
        found = inspect_bundle(
            Path(order.directory), asset_id=order.asset_id, name=order.name, version=order.version
        )
        return _answered(found)
    except SliceworksError as error:
        return _refused(str(error))
    except MemoryError:
        return _refused(f"{where}: its import takes too much memory")
    except SystemExit as end:
        return _refused(f"{where}: its import ends its process (SystemExit: {end})")
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the bundle's
        return _refused(f"{where}: {type(error).__name__}: {error}")


def _answered(found: object) -> bytes:
    return msgspec.json.encode(_Answer(msgspec.Raw(msgspec.json.encode(found))))


def _refused(reason: str) -> bytes:
    return msgspec.json.encode(_Answer(refusal=reason[:10_000]))


def _found(answer: bytes, kind: type[T]) -> T:
    """Strangers' code may have written anything."""
    if not answer:
        message = "looking into the bundle ended without an answer"
        raise UnprocessableError(message)
    try:
        read = msgspec.json.decode(answer, type=_Answer)
        if read.trouble:
            raise UnavailableError(read.trouble)
        if not read.refusal:
            return msgspec.json.decode(read.found, type=kind)
    except msgspec.DecodeError as error:
        message = f"looking into the bundle gave no proper answer: {error}"
        raise UnprocessableError(message) from error
    raise UnprocessableError(read.refusal)
