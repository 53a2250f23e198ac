"""The `apis` of a job, checked, and what operations say about them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from sliceworks.operations.bundle_outline import BundleError
from sliceworks.operations.chain_parts import DEAD_LETTER_ACTIONS
from sliceworks.operations.entries import Owner, filled_options
from sliceworks.operations.errors import AmbiguousOperationError, UnknownOperationError
from sliceworks.operations.fault_texts import option_fault
from sliceworks.operations.operation_api import Observer
from sliceworks.operations.registry import Catalog
from sliceworks.protocol.errors import Fault

_COMMON: Final = {"_encoding": "json", "_dead_letter_action": "throw"}
_ENCODINGS: Final = ("json", "raw")
_MAX_APIS: Final = 100  # with the operations, their places must fit into the byte that tells who runs
_MAX_NAME_CHARS: Final = 200

_Document = dict[str, Any]


def filled_apis(job: _Document, *, catalog: Catalog, faults: list[Fault]) -> list[_Document]:
    """The entries with their defaults."""
    entries = _entries(job)
    if len(entries) > _MAX_APIS:
        faults.append(Fault("apis", f"a job has at most {_MAX_APIS} APIs, this one has {len(entries)}"))
        return []
    seen: set[str] = set()
    filled: list[_Document] = []
    for place, entry in enumerate(entries):
        path = f"apis.{place}"
        if not isinstance(entry, dict):
            continue  # the check of the job has said so
        found = list(_name_faults(path, entry.get("_name"), seen=seen, catalog=catalog))
        faults += found
        if not found:
            seen.add(entry["_name"])
            before = [other.get("_name") for other in entries[:place] if isinstance(other, dict)]
            faults += _common_faults(path, entry, before=before, catalog=catalog)
            filled.append(_filled(path, entry, job=job, catalog=catalog, faults=faults))
    return filled


def use_faults(path: str, entry: _Document, *, job: Mapping[str, Any], catalog: Catalog) -> Iterator[Fault]:
    """Faults in what one operation says about APIs."""
    name, api_name = entry["_op"], entry.get("_api_name")
    if api_name is not None and api_name not in _names(job):
        yield Fault(f"{path}._api_name", f"Could not find the associated api for {api_name}")
    yield from _dead_letter_faults(path, f"operation {name}", entry, known=_names(job), catalog=catalog)


def _dead_letter_faults(
    path: str, label: str, entry: _Document, *, known: Collection[Any], catalog: Catalog
) -> Iterator[Fault]:
    """Faults in a `_dead_letter_action`; `known` are the APIs that may take its records."""
    action = entry.get("_dead_letter_action", "throw")
    if not isinstance(action, str) or not action or action in DEAD_LETTER_ACTIONS:
        return  # what is no text is told by the check of common fields
    if action not in known:
        apis = "one of the job's apis" if label.startswith("operation") else "an API listed before it"
        reason = f"must be throw, log, none, or the name of {apis}, got {action!r}"
    elif _is_observer(action, catalog):
        reason = f"{action} is an observer: it takes no records"
    else:
        return
    yield option_fault(label=label, path=path, option="_dead_letter_action", reason=reason)


def _name_faults(path: str, name: object, *, seen: set[str], catalog: Catalog) -> Iterator[Fault]:
    path = f"{path}._name"
    if not isinstance(name, str) or not name:
        yield Fault(path, "API requires an _name")
    elif len(name) > _MAX_NAME_CHARS:
        yield Fault(path, f"must have at most {_MAX_NAME_CHARS} characters, this has {len(name)}")
    elif name in seen:
        yield Fault(path, f"Duplicate API configurations for {name} found")
    elif name in DEAD_LETTER_ACTIONS:
        yield Fault(path, f"{name} cannot be the name of an API: it is a _dead_letter_action")
    else:
        try:
            catalog.resolve_api(name)
        except (UnknownOperationError, AmbiguousOperationError, BundleError) as error:
            yield Fault(path, str(error))
            seen.add(name)


def _common_faults(
    path: str, entry: _Document, *, before: Collection[Any], catalog: Catalog
) -> Iterator[Fault]:
    label = f"API {entry['_name']}"
    common = _COMMON | entry
    if common["_encoding"] not in _ENCODINGS:
        reason = f"must be json or raw, got {common['_encoding']!r}"
        yield option_fault(label=label, path=path, option="_encoding", reason=reason)
    action = common["_dead_letter_action"]
    if not isinstance(action, str) or not action:
        reason = "must be throw, log, none, or the name of an API listed before it"
        yield option_fault(label=label, path=path, option="_dead_letter_action", reason=reason)
    yield from _dead_letter_faults(path, label, entry, known=before, catalog=catalog)


def _filled(
    path: str, entry: _Document, *, job: _Document, catalog: Catalog, faults: list[Fault]
) -> _Document:
    name: str = entry["_name"]
    common = _COMMON | {key: entry[key] for key in _COMMON if key in entry}
    given = {key: value for key, value in entry.items() if key not in _COMMON and key != "_name"}
    owner = Owner(f"API {name}", path, catalog.resolve_api(name).options)
    return {"_name": name, **common, **filled_options(owner, given, job=job, faults=faults)}


def _is_observer(name: str, catalog: Catalog) -> bool:
    try:
        return issubclass(catalog.resolve_api(name).api, Observer)
    except (UnknownOperationError, AmbiguousOperationError, BundleError):
        return False  # told by the check of the entry


def _names(job: Mapping[str, Any]) -> list[Any]:
    return [entry.get("_name") for entry in _entries(job) if isinstance(entry, dict)]


def _entries(job: Mapping[str, Any]) -> list[Any]:
    apis = job.get("apis")
    return list(apis) if isinstance(apis, list | tuple) else []
