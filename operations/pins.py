"""Which asset an operation is meant from: `op@asset:version` becomes `op@<asset id>`.

What stands after the `@` must be written as in the job's `assets`, or be an asset's id.  After that an API
may have its tag: `name@asset:version:tag`.  Where several readings are possible the one with the longest
identifier counts.  A pin that means no asset of the job is left as it is, and nothing has its name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sliceworks.operations.bundle_outline import AssetPlace

Assets = Sequence[tuple[str, AssetPlace]]
"""An asset as the job refers to it, and what that means."""

_OPERATION_FIELDS: Final = ("_op", "_api_name", "_dead_letter_action")
_API_FIELDS: Final = ("_name", "_dead_letter_action")

_Document = dict[str, Any]


def with_pins(job: Mapping[str, Any], assets: Assets) -> _Document:
    """The job with every pin that can be resolved as an id; nothing else is looked at, or changed."""
    ids = {identifier: place.asset_id for identifier, place in assets}
    ids |= {place.asset_id: place.asset_id for _, place in assets}
    pinned = dict(job)
    for name, fields in (("operations", _OPERATION_FIELDS), ("apis", _API_FIELDS)):
        if isinstance(entries := job.get(name), list):
            pinned[name] = [_entry(entry, fields, ids) for entry in entries]
    return pinned


def _entry(entry: object, fields: Sequence[str], ids: Mapping[str, str]) -> object:
    if not isinstance(entry, dict):
        return entry
    names = {field: entry[field] for field in fields if isinstance(entry.get(field), str)}
    pinned = {field: _pinned(name, ids, may_have_tag=field != "_op") for field, name in names.items()}
    return {**entry, **pinned}


def _pinned(name: str, ids: Mapping[str, str], *, may_have_tag: bool) -> str:
    own, at, identifier = name.partition("@")
    tag = ""
    while at and identifier:
        if identifier in ids:
            return f"{own}@{ids[identifier]}{tag}"
        if not may_have_tag:
            break
        identifier, colon, last = identifier.rpartition(":")
        tag = f"{colon}{last}{tag}"
    return name
