"""Which operations and APIs exist, by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sliceworks.operations.builtin.count_by_field import CountByField
from sliceworks.operations.builtin.data_generator import DataGeneratorFetcher, DataGeneratorSlicer
from sliceworks.operations.builtin.delay import Delay
from sliceworks.operations.builtin.drop_field import DropField
from sliceworks.operations.builtin.file_exporter import FileExporter
from sliceworks.operations.builtin.file_reader import FileReaderFetcher, FileReaderSlicer
from sliceworks.operations.builtin.filter import Filter
from sliceworks.operations.builtin.json_parser import JsonParser
from sliceworks.operations.builtin.noop import Noop
from sliceworks.operations.builtin.script import Script
from sliceworks.operations.builtin.set_field import SetField
from sliceworks.operations.builtin.stdout import Stdout
from sliceworks.operations.builtin.test_reader import TestReaderFetcher, TestReaderSlicer
from sliceworks.operations.errors import UnknownAssetError, UnknownOperationError
from sliceworks.operations.operation_api import Companion
from sliceworks.operations.options import OperationOptions
from sliceworks.operations.processors import Processor
from sliceworks.operations.reader import Fetcher, ParallelSlicer, Slicer

ENGINE_OPTIONS = frozenset({"_api_name", "_connection"})
"""Fields of an operation that are not its own options, besides those of OperationSpec."""


@dataclass(frozen=True, slots=True)
class ReaderKind:
    """An operation for the first place of a job."""

    name: str
    slicer: type[Slicer | ParallelSlicer]
    fetcher: type[Fetcher]

    @property
    def options(self) -> type[OperationOptions]:
        """The schema, shared by slicer and fetcher."""
        return self.slicer.Options


@dataclass(frozen=True, slots=True)
class ProcessorKind:
    """An operation for any other place."""

    name: str
    processor: type[Processor]

    @property
    def options(self) -> type[OperationOptions]:
        """The schema."""
        return self.processor.Options


@dataclass(frozen=True, slots=True)
class ApiKind:
    """What a job lists in its `apis`."""

    name: str
    api: type[Companion]

    @property
    def options(self) -> type[OperationOptions]:
        """The schema."""
        return self.api.Options


OperationKind = ReaderKind | ProcessorKind

OPERATIONS: dict[str, OperationKind] = {
    kind.name: kind
    for kind in (
        ReaderKind("data_generator", DataGeneratorSlicer, DataGeneratorFetcher),
        ReaderKind("file_reader", FileReaderSlicer, FileReaderFetcher),
        ReaderKind("test_reader", TestReaderSlicer, TestReaderFetcher),
        ProcessorKind("count_by_field", CountByField),
        ProcessorKind("delay", Delay),
        ProcessorKind("drop_field", DropField),
        ProcessorKind("file_exporter", FileExporter),
        ProcessorKind("filter", Filter),
        ProcessorKind("json_parser", JsonParser),
        ProcessorKind("noop", Noop),
        ProcessorKind("script", Script),
        ProcessorKind("set_field", SetField),
        ProcessorKind("stdout", Stdout),
    )
}


APIS: dict[str, ApiKind] = {}


@dataclass(frozen=True, slots=True)
class Catalog:
    """Operations and APIs that jobs may name.  An API may have the name of an operation."""

    operations: Mapping[str, OperationKind]
    apis: Mapping[str, ApiKind]

    def resolve(self, name: str) -> OperationKind:
        """The operation of this name; UnknownOperationError carries the nearest names."""
        kind = self.operations.get(name)
        if kind is None:
            raise _unknown(name, self.operations)
        return kind

    def resolve_api(self, name: str) -> ApiKind:
        """The API or observer of this name, tag or not; UnknownOperationError carries the nearest names."""
        kind = self.apis.get(name.partition(":")[0])
        if kind is None:
            raise _unknown(name, self.apis)
        return kind

    def extended(self, operations: Iterable[OperationKind] = (), apis: Iterable[ApiKind] = ()) -> Catalog:
        """A catalog with these, too; they hide others of the same name."""
        return Catalog(
            {**self.operations, **{kind.name: kind for kind in operations}},
            {**self.apis, **{kind.name: kind for kind in apis}},
        )


BUILT_IN: Final = Catalog(OPERATIONS, APIS)


def resolve(name: str) -> OperationKind:
    """The built-in operation of this name; UnknownOperationError carries the nearest names."""
    return BUILT_IN.resolve(name)


def _unknown(name: str, known: Mapping[str, object]) -> UnknownOperationError:
    """What to say of an unknown name; one with an asset's id is compared with those of that asset."""
    own, at, identifier = name.partition("@")
    pin = f"{at}{identifier.partition(':')[0]}"
    same = [other.removesuffix(pin) for other in known if ("@" in other) == bool(at) and other.endswith(pin)]
    if at and not same:
        return UnknownAssetError(name)
    return UnknownOperationError(name, tuple(difflib.get_close_matches(own, same, n=3)))
