"""Assets: upload, list, delete, and what nodes fetch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from aiohttp import web

from sliceworks.master.api import shapes
from sliceworks.master.api.context import Api, Route
from sliceworks.master.api.description import About, Answer, page, yes_or_no
from sliceworks.master.api.options import flag, page_of
from sliceworks.master.api.rendering import Json, answer
from sliceworks.master.api.txt import table_of, tabulated
from sliceworks.master.assets.keeper import too_large
from sliceworks.master.assets.resolving import by_version, version_key
from sliceworks.master.store.records import AssetRecord, Order, Page
from sliceworks.operations.archive import LIMITS
from sliceworks.operations.manifest import is_asset_id
from sliceworks.protocol.errors import InvalidError
from sliceworks.protocol.timestamps import iso_from_ms

COLUMNS: Final = (
    "name",
    "version",
    "id",
    "_created",
    "description",
    "node_version",
    "platform",
    "arch",
)
_DESCRIPTION_WIDTH: Final = 30
_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"
_LATEST: Final = "latest"
_NEWEST_FIRST: Final = (Order("_created", descending=True),)
_KEYS: Final[dict[str, Callable[[AssetRecord], Any]]] = {
    "_created": lambda asset: asset.created_ms,
    "name": lambda asset: asset.name,
    "version": lambda asset: version_key(asset.version),
    "id": lambda asset: asset.asset_id,
}
"""What lists are ordered by."""


async def upload(api: Api, request: web.Request) -> web.Response:
    """Take in a bundle; it is looked into before the answer, whatever `blocking` says."""
    flag(request.query, "blocking", default=False)
    _refuse_other_bodies(request)
    stored = await api.assets.save(_body_of(request))
    ids = {"_id": stored.asset_id, "asset_id": stored.asset_id}
    return answer(ids, status=201 if stored.is_new else 200)


async def list_assets(api: Api, request: web.Request) -> web.Response:
    """Assets: all, those of a name and a version (with `*` for anything), or the one with an id."""
    return answer([asset_json(asset) for asset in find_assets(api, request)])


async def tabulate_assets(api: Api, request: web.Request) -> web.Response:
    """The same as a table of text."""
    rows = [_row(asset_json(asset)) for asset in find_assets(api, request)]
    return tabulated(request, COLUMNS, rows, missing="")


async def delete_asset(api: Api, request: web.Request) -> web.Response:
    """List an asset no more; executions that have begun with it go on."""
    asset_id = request.match_info["asset_id"]
    if not is_asset_id(asset_id):
        message = f"asset {asset_id} is not formatted correctly, please provide the full asset_id"
        raise InvalidError(message)
    await api.commands.delete_asset(asset_id)
    return answer({"_id": asset_id, "asset_id": asset_id})


async def fetch_zip(api: Api, request: web.Request) -> web.StreamResponse:
    """The bytes of an asset, for nodes."""
    path = api.assets.zip_path(request.match_info["asset_id"])
    return web.FileResponse(path, headers={"Content-Type": "application/zip"})


def find_assets(api: Api, request: web.Request) -> list[AssetRecord]:
    """What a list is asked for."""
    wanted = page_of(request, _KEYS, order=_NEWEST_FIRST)
    name, version = request.match_info.get("name", "*"), request.match_info.get("version", "*")
    found = [asset for asset in api.view.assets() if asset.asset_id == name or fnmatchcase(asset.name, name)]
    found = _latest(found) if version == _LATEST else _of_version(found, version)
    return _cut(found, wanted)


def asset_json(asset: AssetRecord) -> Json:
    """An asset as lists show it; what it does not say is left out."""
    said = {
        "description": asset.description,
        "python_version": asset.python_version,
        "node_version": asset.python_version,
        "platform": asset.platform,
        "arch": asset.arch,
    }
    return {
        "_created": iso_from_ms(asset.created_ms),
        "name": asset.name,
        "version": asset.version,
        "id": asset.asset_id,
        **{field: text for field, text in said.items() if text},
        "operations": list(asset.operations),
    }


def _refuse_other_bodies(request: web.Request) -> None:
    if request.content_type == _JSON:
        message = "/asset endpoints do not accept json"
        raise InvalidError(message)
    if request.content_type == _FORM:
        message = "the json submitted is malformed: send the zip itself, as application/octet-stream"
        raise InvalidError(message)
    if (request.content_length or 0) > LIMITS.zip_bytes:
        raise too_large()


async def _body_of(request: web.Request) -> AsyncIterator[bytes]:
    try:
        async for piece in request.content.iter_any():
            yield piece
    except (ConnectionError, web.PayloadAccessError, web.RequestPayloadError) as error:
        message = f"the upload was cut off: {error}"
        raise InvalidError(message) from error


def _of_version(assets: Sequence[AssetRecord], version: str) -> list[AssetRecord]:
    wanted = version.removeprefix("v")
    return [asset for asset in assets if fnmatchcase(asset.version, wanted)]


def _latest(assets: Sequence[AssetRecord]) -> list[AssetRecord]:
    """The highest version of each name."""
    highest: dict[str, AssetRecord] = {}
    for asset in by_version(assets):
        highest[asset.name] = asset
    return list(highest.values())


def _cut(assets: Iterable[AssetRecord], wanted: Page) -> list[AssetRecord]:
    ordered = sorted(assets, key=_KEYS["id"])
    for order in reversed(wanted.order):
        ordered.sort(key=_KEYS[order.field], reverse=order.descending)
    return ordered[wanted.offset : wanted.offset + wanted.size]


def _row(document: Json) -> Json:
    return {**document, "description": document.get("description", "")[:_DESCRIPTION_WIDTH]}


_LIST: Final = About(
    "assets",
    list[shapes.Asset],
    page(_KEYS, default="_created:desc"),
)
_UPLOAD: Final = About(
    "assets",
    shapes.AssetIds,
    (
        yes_or_no(
            "blocking", "changes nothing: an upload is always looked into before the answer", default="false"
        ),
    ),
    body=bytes,
    body_media="application/octet-stream",
    errors=(409, 422),
    also=(Answer(shapes.AssetIds, 201),),
)
_TABLE: Final = table_of(*page(_KEYS, default="_created:desc"))

ROUTES: Final = (
    Route("POST", "/assets", upload, _UPLOAD),
    *(Route("GET", f"/assets{path}", list_assets, _LIST) for path in ("", "/{name}", "/{name}/{version}")),
    Route("DELETE", "/assets/{asset_id}", delete_asset, About("assets", shapes.AssetIds, errors=(400, 404))),
    *(
        Route("GET", f"/txt/assets{path}", tabulate_assets, _TABLE)
        for path in ("", "/{name}", "/{name}/{version}")
    ),
)
ZIP_PATH: Final = "/_assets/{asset_id:[0-9a-f]{40}}.zip"
"""Not part of the API: what nodes fetch."""
