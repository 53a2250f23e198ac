"""The assets of a job: what it names is looked up, and the job checked with what was found.

It stands before the check of a job, so whoever has a job checked gets it with the ids of its assets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, Final, Protocol

import orjson

from sliceworks.master.assets.folder import AssetFolder
from sliceworks.master.assets.resolving import asset_named
from sliceworks.master.cluster.view import ClusterView
from sliceworks.master.store.records import AssetRecord
from sliceworks.operations.bundle_outline import AssetPlace
from sliceworks.protocol.errors import Fault, InvalidError

NamedAssets = Sequence[tuple[str, AssetPlace]]
"""What a job names, each as it is written there and where it is unpacked."""

MAX_ASSETS: Final = 100

_UNKNOWN_OPERATION: Final = ("._op", "._name", "._api_name")


class JobCheck(Protocol):
    """Checks a job and fills in its defaults; InvalidError with all faults."""

    def __call__(self, document: bytes, assets: NamedAssets = (), /) -> Awaitable[dict[str, Any]]:
        """The job, ready to become an execution."""
        ...


class JobsWithAssets:
    """A check of jobs that knows the assets of this cluster."""

    def __init__(self, check: JobCheck, view: ClusterView, folder: AssetFolder) -> None:
        self._check = check
        self._view = view
        self._folder = folder

    async def __call__(self, document: bytes) -> dict[str, Any]:
        """The job with its defaults, and the ids of its assets; InvalidError with all faults."""
        references = _references(document)
        named, faults = await self._look_up(references)
        if faults:
            raise await self._refusal(document, named, faults)
        if not named:
            return await self._check(document)
        return await self._check(document, named)

    async def _look_up(self, references: Sequence[str]) -> tuple[list[tuple[str, AssetPlace]], list[Fault]]:
        """In turns with everything else that this process does: a range of versions can take milliseconds."""
        if len(references) > MAX_ASSETS:
            fault = Fault("assets", f"a job has {MAX_ASSETS} assets at most, got {len(references)}")
            return [], [fault]
        known = self._view.assets() if references else []
        named: list[tuple[str, AssetPlace]] = []
        faults: list[Fault] = []
        for place, reference in enumerate(references):
            try:
                named.append((reference, self._place(reference, asset_named(reference, known))))
            except InvalidError as error:
                faults.append(Fault(f"assets.{place}", str(error)))
            await asyncio.sleep(0)
        return named, faults

    def _place(self, reference: str, asset: AssetRecord) -> AssetPlace:
        if not self._folder.is_whole(asset.asset_id):
            message = (
                f'No assets found for "{reference}": '
                f"{asset.name}:{asset.version} ({asset.asset_id}) is listed, "
                f"but its files are gone from {self._folder.root}; upload it again"
            )
            raise InvalidError(message)
        return AssetPlace(asset.asset_id, asset.name, asset.version, self._folder.directory(asset.asset_id))

    async def _refusal(self, document: bytes, named: NamedAssets, faults: list[Fault]) -> InvalidError:
        """With what else is wrong; operations that nobody knows may be those of the missing assets."""
        others: list[Fault] = []
        try:
            await self._check(document, named)
        except InvalidError as error:
            others = [fault for fault in error.faults if not fault.path.endswith(_UNKNOWN_OPERATION)]
        texts = "; ".join(str(fault) for fault in others)
        message = f"Failure to get assets, caused by TSError: {faults[0].message}" + (
            f"; also {texts}" if texts else ""
        )
        return InvalidError(message, (*faults, *others))


def _references(document: bytes) -> list[str]:
    """What the job names; a job that is no job, or names none properly, is the check's to refuse."""
    job = orjson.loads(document)
    references = job.get("assets") if isinstance(job, dict) else None
    if not isinstance(references, list) or not all(isinstance(item, str) for item in references):
        return []
    return references
