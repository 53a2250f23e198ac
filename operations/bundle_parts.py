"""Loads one operation of a bundle: imports its modules, and finds the one class that is wanted in each."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from sliceworks.operations.base import Operation
from sliceworks.operations.bundle_outline import AssetPlace, Outline
from sliceworks.operations.isolation import PREFIX, BundleCode, bundle_code
from sliceworks.operations.operation_api import Companion
from sliceworks.operations.options import OperationOptions
from sliceworks.operations.processors import Processor
from sliceworks.operations.reader import Fetcher, ParallelSlicer, Slicer
from sliceworks.operations.registry import ApiKind, OperationKind, ProcessorKind, ReaderKind

_TRACEBACK_LINES: Final = 12

_WANTED: Final[dict[str, tuple[tuple[type, ...], str]]] = {
    "slicer": ((Slicer, ParallelSlicer), "a Slicer or ParallelSlicer"),
    "fetcher": ((Fetcher,), "a Fetcher"),
    "processor": ((Processor,), "a BatchProcessor, MapProcessor, EachProcessor or FilterProcessor"),
    "api": ((Companion,), "an OperationAPI or Observer"),
    "schema": ((OperationOptions,), "an OperationOptions or StrictOptions"),
}


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one outline turned out to be; a mere module may be neither."""

    operation: OperationKind | None
    api: ApiKind | None


def load_operation(place: AssetPlace, outline: Outline) -> Loaded:
    """Import what belongs to an operation; BundleError if that fails, or its classes are in disorder."""
    loader = _Loader(place, outline)
    return loader.load_folder() if outline.files else loader.load_module()


class _Loader:
    def __init__(self, place: AssetPlace, outline: Outline) -> None:
        self._place = place
        self._outline = outline
        self._code = bundle_code(f"a{place.asset_id}", place.directory)

    def load_folder(self) -> Loaded:
        files = self._outline.files
        found = {file: self._one_class(file) for file in _WANTED if file in files}
        schema = found.pop("schema", None)
        if schema is not None:
            found = {file: self._with_schema(file, part, schema) for file, part in found.items()}
        return self._kinds(found)

    def load_module(self) -> Loaded:
        module, file = self._imported(self._outline.name), f"{self._outline.name}.py"
        found: dict[str, type] = {}
        for part, (bases, what) in _WANTED.items():
            classes = _leaves(_classes(module, bases))
            own = [item for item in classes if item.__module__ == module.__name__]
            if len(own) > 1 and part != "schema":
                raise self._error(file, f"has {_names(own)}: one class that is {what} is wanted")
            if own:
                found[part] = own[0]
        found.pop("schema", None)
        for one, other in (("slicer", "fetcher"), ("fetcher", "slicer")):
            if one in found and other not in found:
                reason = (
                    f"has {_names([found[one]])} but no class that is {_WANTED[other][1]}: a reader has both"
                )
                raise self._error(file, reason)
        if "slicer" in found and "processor" in found:
            raise self._error(file, "is a reader and a processor: it can only be one of the two")
        return self._kinds(found)

    def _kinds(self, found: dict[str, Any]) -> Loaded:
        name = self._outline.name
        operation: OperationKind | None = None
        if "slicer" in found:
            slicer, fetcher = self._with_equal_options(found["slicer"], found["fetcher"])
            operation = ReaderKind(name, slicer, fetcher)
        elif "processor" in found:
            operation = ProcessorKind(name, found["processor"])
        return Loaded(operation, ApiKind(name, found["api"]) if "api" in found else None)

    def _one_class(self, file: str) -> type:
        module = self._imported(f"{self._outline.name}.{file}")
        bases, what = _WANTED[file]
        candidates = _leaves(_classes(module, bases))
        own = [item for item in candidates if item.__module__ == module.__name__] or candidates
        path = f"{self._outline.name}/{file}.py"
        if len(own) > 1:
            raise self._error(path, f"has {_names(own)}: one class that is {what} is wanted")
        if own:
            return own[0]
        others = [
            item
            for item in _classes(module, (Operation, OperationOptions))
            if item.__module__ == module.__name__
        ]
        if others:
            raise self._error(path, f"class {others[0].__name__} is not {what}, as is wanted in this file")
        raise self._error(path, f"has no class that is {what}")

    def _with_schema(
        self, file: str, part: type[Operation], schema: type[OperationOptions]
    ) -> type[Operation]:
        if part.Options is schema:
            return part
        if part.Options is not OperationOptions:
            reason = f"class {part.__name__} has Options of its own, and there is a schema.py: keep one"
            path = f"{self._outline.name}/{file}.py"
            raise self._error(path, reason)
        derived: type[Operation] = _with_options(part, schema)
        return derived

    def _with_equal_options(self, slicer: Any, fetcher: Any) -> tuple[Any, Any]:
        declared = {part.Options for part in (slicer, fetcher)} - {OperationOptions}
        if len(declared) > 1:
            reason = "slicer and fetcher declare different Options: they get the same, so share one class"
            raise self._error(self._outline.name, reason)
        for options in declared:
            return _with_options(slicer, options), _with_options(fetcher, options)
        return slicer, fetcher

    def _imported(self, module: str) -> ModuleType:
        path = f"{module.replace('.', '/')}.py"
        try:
            return self._code.load(module)
        except (Exception, SystemExit) as error:
            raise self._error(path, f"cannot be imported:\n{_last_lines(error, self._code)}") from error

    def _error(self, path: str, what: str) -> Exception:
        return self._place.error(f"{path}: {what}" if what.startswith("cannot") else f"{path} {what}")


def _with_options(part: Any, options: type[OperationOptions]) -> Any:
    """The class with these options; the author's own stays as it is, others may be made from it."""
    if part.Options is options:
        return part
    names = {"Options": options, "__module__": part.__module__, "__qualname__": part.__qualname__}
    return type(part.__name__, (part,), {**names, "__doc__": part.__doc__})


def _classes(module: ModuleType, bases: tuple[type, ...]) -> list[type]:
    """The public classes in a module that have one of these bases, but not those that we give to authors."""
    found = [item for item in vars(module).values() if isinstance(item, type) and issubclass(item, bases)]
    return list(
        dict.fromkeys(item for item in found if not item.__name__.startswith("_") and not _is_ours(item))
    )


def _is_ours(item: type) -> bool:
    return item.__module__.startswith("sliceworks.") and not item.__module__.startswith(PREFIX)


def _leaves(classes: list[type]) -> list[type]:
    """Without those that others among them are made from."""
    return [
        item
        for item in classes
        if not any(other is not item and issubclass(other, item) for other in classes)
    ]


def _names(classes: Iterable[type]) -> str:
    return " and ".join(f"class {item.__name__}" for item in classes)


def _last_lines(error: BaseException, code: BundleCode) -> str:
    """The end of the traceback, from where the bundle's own code begins; paths as in the bundle."""
    told = traceback.TracebackException.from_exception(error)
    inside = [frame for frame in told.stack if Path(frame.filename).is_relative_to(code.directory)]
    told.stack = traceback.StackSummary.from_list(inside)
    told.__cause__ = told.__context__ = None
    lines = (
        "".join(told.format()).replace(f"{code.directory}/", "").replace(f"{code.package}.", "").splitlines()
    )
    return "\n".join(lines[-_TRACEBACK_LINES:])
