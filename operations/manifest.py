"""asset.json: what a bundle says of itself, checked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import orjson

from sliceworks.operations.zip_listing import ArchiveError

MANIFEST: Final = "asset.json"
MAX_MANIFEST_BYTES: Final = 64 * 1024

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_ASSET_ID: Final = re.compile(r"[0-9a-f]{40}")
_NUMBER: Final = r"(?:0|[1-9]\d{0,15})"
_PART: Final = rf"(?:{_NUMBER}|\d*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION: Final = re.compile(
    rf"[v=\s]*({_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-{_PART}(?:\.{_PART})*)?)(?:\+[0-9A-Za-z.-]+)?\s*"
)
_MAX_TEXT: Final = 10_000
_MAX_VERSION: Final = 256


@dataclass(frozen=True, slots=True)
class AssetManifest:
    """A bundle's own words; "" where it says nothing, which means any."""

    name: str
    version: str  # cleaned: v1.2.3 is 1.2.3
    description: str
    python_version: str
    platform: str
    arch: str
    minimum_teraslice_version: str
    document: Mapping[str, Any]  # all of asset.json, also what nobody here knows


def read_manifest(text: bytes) -> AssetManifest:
    """Check asset.json; ArchiveError with what is wrong."""
    document = _object_of(text)
    name = document.get("name")
    if name is None or name == "":
        message = "Missing name"
        raise ArchiveError(message)
    if not isinstance(name, str) or not _NAME.fullmatch(name) or is_asset_id(name):
        message = (
            f"Invalid name {_shown(name)}: an asset is named with letters, digits, dots, dashes and "
            "underscores, 200 at most, and not like an asset_id"
        )
        raise ArchiveError(message)
    return AssetManifest(
        name,
        _version_of(document.get("version")),
        description=_text_of(document, "description"),
        python_version=_python_version_of(document),
        platform=_text_of(document, "platform"),
        arch=_text_of(document, "arch"),
        minimum_teraslice_version=_minimum_of(document),
        document=document,
    )


def is_asset_id(text: str) -> bool:
    """Whether it looks like the id of an asset."""
    return _ASSET_ID.fullmatch(text) is not None


def clean_version(text: str) -> str | None:
    """A semantic version without `v` and build; None if it is none."""
    match = _VERSION.fullmatch(text) if len(text) <= _MAX_VERSION else None
    return match[1] if match else None


def _object_of(text: bytes) -> dict[str, Any]:
    try:
        document = json.loads(text, parse_constant=_refuse_constant)
        orjson.dumps([[document]])  # nothing that cannot be told and kept
    except (ValueError, RecursionError, orjson.JSONEncodeError) as error:
        message = f"Failure parsing asset.json, please ensure that's it formatted correctly: {error}"
        raise ArchiveError(message) from error
    if not isinstance(document, dict):
        message = (
            "Failure parsing asset.json, please ensure that's it formatted correctly: it must be an object"
        )
        raise ArchiveError(message)
    return document


def _refuse_constant(name: str) -> NoReturn:
    message = f"{name} is no JSON"
    raise ValueError(message)


def _version_of(value: object) -> str:
    cleaned = clean_version(value) if isinstance(value, str) else None
    if cleaned is None:
        message = f"Invalid version {_shown(value)}: asset.json must have a version such as 1.2.3"
        raise ArchiveError(message)
    return cleaned


def _minimum_of(document: Mapping[str, Any]) -> str:
    text = _text_of(document, "minimum_teraslice_version")
    if text and clean_version(text) is None:
        message = f"Invalid minimum_teraslice_version {_shown(text)}: it must be a version such as 1.2.3"
        raise ArchiveError(message)
    return clean_version(text) or ""


def _python_version_of(document: Mapping[str, Any]) -> str:
    value = document.get("python_version")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if value else ""
    return _text_of(document, "python_version", example="3.11")


def _text_of(document: Mapping[str, Any], field: str, *, example: str = "") -> str:
    """A field that may be left out; like in other systems, whatever is false counts as left out."""
    value = document.get(field)
    if not value:
        return ""
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        hint = f' such as "{example}"' if example else ""
        message = f"Invalid {field} {_shown(value)}: asset.json must have text there{hint}"
        raise ArchiveError(message)
    return value.strip()


def _shown(value: object) -> str:
    """As the client wrote it, cut short."""
    return (f'"{value}"' if isinstance(value, str) else f'"{json.dumps(value)}"')[:200]
