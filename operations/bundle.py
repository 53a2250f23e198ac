"""The operations of assets: what a bundle holds, and the catalog of all that a job may name.

Nothing is imported before somebody asks for an operation by its name, so a worker imports what its job uses
and no more.  Everything here runs authors' code: only ever call it in a child process.

A catalog knows an operation as `name@<asset id>`, and also as `name` if only one of the assets has it; it
then hides a built-in one of that name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from msgspec import Struct
from pydantic.errors import PydanticInvalidForJsonSchema

from sliceworks.operations.bundle_outline import AssetPlace, BundleError, Outline, outlines_of, place_at
from sliceworks.operations.bundle_parts import Loaded, load_operation
from sliceworks.operations.errors import AmbiguousOperationError
from sliceworks.operations.operation_api import Observer
from sliceworks.operations.registry import BUILT_IN, ApiKind, Catalog, OperationKind, ReaderKind

__all__ = [
    "AssetPlace",
    "BundleDescription",
    "BundleError",
    "OperationDescription",
    "catalog_of",
    "inspect_bundle",
    "place_at",
]

K = TypeVar("K")


class OperationDescription(Struct, frozen=True):
    """One operation, API or observer of a bundle."""

    name: str
    kind: str  # reader, processor, api or observer
    options: dict[str, Any]  # JSON schema
    doc: str


class BundleDescription(Struct, frozen=True):
    """All operations of a bundle, by name; a bundle may have none, and serve scripts or data."""

    operations: list[OperationDescription]


def inspect_bundle(directory: Path, *, asset_id: str, name: str, version: str) -> BundleDescription:
    """Import everything that the unpacked bundle offers, and describe it; BundleError says what is wrong."""
    place = AssetPlace(asset_id, name, version, directory)
    described: list[OperationDescription] = []
    for outline in outlines_of(place):
        loaded = load_operation(place, outline)
        described += [_described(place, kind) for kind in (loaded.operation, loaded.api) if kind is not None]
    return BundleDescription(described)


def catalog_of(places: Iterable[AssetPlace]) -> Catalog:
    """The built-in operations and those of these assets; BundleError if one of these is in disorder."""
    items = [_Item(place, outline) for place in places for outline in outlines_of(place)]
    if not items:
        return BUILT_IN
    return Catalog(
        _LazyKinds(BUILT_IN.operations, _makers(items, lambda loaded: loaded.operation)),
        _LazyKinds(BUILT_IN.apis, _makers(items, lambda loaded: loaded.api)),
    )


class _Item:
    """One operation of one asset, loaded when it is first asked for."""

    def __init__(self, place: AssetPlace, outline: Outline) -> None:
        self.name = outline.name
        self.pinned = f"{outline.name}@{place.asset_id}"
        self._place = place
        self._outline = outline
        self._loaded: Loaded | None = None

    def load(self) -> Loaded:
        if self._loaded is None:
            self._loaded = load_operation(self._place, self._outline)
        return self._loaded


@dataclass(frozen=True, slots=True)
class _Maker(Generic[K]):
    """What one name of a catalog stands for: the only one of these that is something."""

    name: str
    items: list[_Item]
    part_of: Callable[[Loaded], K | None]

    def make(self) -> K | None:
        found = [kind for item in self.items if (kind := self.part_of(item.load())) is not None]
        if len(found) > 1:
            raise AmbiguousOperationError(self.name, _word(found[0]))
        return found[0] if found else None


class _LazyKinds(Mapping[str, K]):
    """Kinds that are made when they are asked for; a name that turns out to be no operation is built-in."""

    def __init__(self, built_in: Mapping[str, K], makers: Mapping[str, _Maker[K]]) -> None:
        self._built_in = built_in
        self._makers = makers

    def __getitem__(self, name: str) -> K:
        maker = self._makers.get(name)
        kind = maker.make() if maker else None
        return kind if kind is not None else self._built_in[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._built_in, **self._makers})

    def __len__(self) -> int:
        return len({**self._built_in, **self._makers})


def _makers(items: list[_Item], part_of: Callable[[Loaded], K | None]) -> dict[str, _Maker[K]]:
    makers: dict[str, _Maker[K]] = {}
    for item in items:
        makers[item.pinned] = _Maker(item.pinned, [item], part_of)
        makers.setdefault(item.name, _Maker(item.name, [], part_of)).items.append(item)
    return makers


def _described(place: AssetPlace, kind: OperationKind | ApiKind) -> OperationDescription:
    try:
        options = kind.options.model_json_schema()
    except PydanticInvalidForJsonSchema as error:
        message = f"the options of {kind.name} cannot be described: {error}"
        raise place.error(message) from error
    doc = next((doc for part in _classes(kind) if (doc := inspect.getdoc(part))), "")
    return OperationDescription(kind.name, _word(kind), options, doc)


def _classes(kind: OperationKind | ApiKind) -> tuple[type, ...]:
    match kind:
        case ReaderKind():
            return (kind.slicer, kind.fetcher)
        case ApiKind():
            return (kind.api,)
        case _:
            return (kind.processor,)


def _word(kind: object) -> str:
    match kind:
        case ReaderKind():
            return "reader"
        case ApiKind():
            return "observer" if issubclass(kind.api, Observer) else "api"
        case _:
            return "processor"
