"""Assets: bundles of operations."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from sliceworks.cli.client.documents import Asset
from sliceworks.cli.client.paging import Listing, Pages
from sliceworks.cli.client.refusals import no_master
from sliceworks.cli.client.transport import BYTES, Answer, Content, Transport, path_of
from sliceworks.protocol.errors import NotFoundError

ID: Final = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Deployed:
    """Where an upload went; `is_new` is false if the same bytes were there already."""

    asset_id: str
    is_new: bool


class Assets:
    """Stored bundles."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def deploy(self, bundle: bytes) -> Deployed:
        """Store a zip; UnprocessableError: what is wrong with it, ConflictError: its version is taken."""
        answer = await self._transport.send(
            "POST", "/assets", {"blocking": True}, content=Content(bundle, BYTES)
        )
        return Deployed(_id_of(answer), answer.status == HTTPStatus.CREATED)

    def list(self, name: str | None = None, version: str | None = None) -> Pages[Asset]:
        """All of them, those of a name, or of a name and version; both may have `*`."""
        segments = ["assets", *([name] if name else []), *([version] if name and version else [])]
        return Pages(self._transport, path_of(*segments), Asset, key="id")

    async def get(self, reference: str) -> Asset:
        """By its id, `name` (the newest upload) or `name:version`; NotFoundError if there is none."""
        if ID.fullmatch(reference):
            async for asset in self.list().everything():
                if asset.id == reference:
                    return asset
        else:
            name, _, version = reference.partition(":")
            found = await self.list(name, version or None).page(Listing(size=1))
            if found:
                return found[0]
        message = f"Could not find asset {reference}"
        raise NotFoundError(message)

    async def delete(self, asset_id: str) -> str:
        """Delete it by its id."""
        return _id_of(await self._transport.send("DELETE", path_of("assets", asset_id)))


def _id_of(answer: Answer) -> str:
    found = answer.body.get("asset_id") if isinstance(answer.body, Mapping) else None
    if not isinstance(found, str):
        raise no_master(request="/assets", what="no asset_id")
    return found
