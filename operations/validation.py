"""A job as posted, checked as a whole: every fault at once, or the document with every default filled in.

What a fault says is written for whoever posted the job: where it is (`operations.1.regex`), which operation
and option, and what is wrong.  Texts that clients of this API know are kept.  It may look at files and run
authors' checks, so a daemon calls it in a child process.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from sliceworks.operations.api_entries import filled_apis, use_faults
from sliceworks.operations.bundle import BundleError, catalog_of
from sliceworks.operations.entries import Owner, filled_options
from sliceworks.operations.errors import AmbiguousOperationError, UnknownOperationError
from sliceworks.operations.fault_texts import job_faults
from sliceworks.operations.pins import Assets, with_pins
from sliceworks.operations.registry import BUILT_IN, ENGINE_OPTIONS, Catalog, OperationKind, ReaderKind
from sliceworks.protocol.documents import JobSpec
from sliceworks.protocol.errors import Fault, InvalidError

_COMMON = ("_op", "_encoding", "_dead_letter_action")
_MAX_MESSAGE_FAULTS = 20
_MAX_MESSAGE_NAME = 200

_Document = dict[str, Any]


def validate_job(document: object, *, catalog: Catalog = BUILT_IN, assets: Assets = ()) -> dict[str, Any]:
    """The job with all defaults, those of its operations and APIs too, ready to become an execution.

    Raises InvalidError with all faults.  Unknown fields of the job are kept, and so are unknown options of
    an operation that allows them.  With `assets`, the job may name their operations, too; in the answer
    operations are pinned by asset id where the job has pinned them, and `assets` are ids.
    """
    if not isinstance(document, dict):
        fault = Fault("", "must be object")
        raise _invalid([fault])
    if not assets:
        return _validated(document, catalog)
    places = list({place.asset_id: place for _, place in assets}.values())
    try:
        catalog = catalog_of(places)
    except BundleError as error:
        raise _invalid([Fault("assets", str(error))], _name_of(document)) from error
    validated = _validated(with_pins(document, assets), catalog)
    validated["assets"] = [place.asset_id for place in places]
    return validated


def _validated(document: _Document, catalog: Catalog) -> _Document:
    faults: list[Fault] = []
    filled = _filled_job(document, faults)
    job = {**_job_defaults(), **document, **filled}
    apis = filled_apis(job, catalog=catalog, faults=faults)
    operations = [
        _filled_operation(place, entry, job=job, catalog=catalog, faults=faults)
        for place, entry in enumerate(_entries(document))
    ]
    if faults:
        raise _invalid(faults, _name_of(document))
    common = filled["operations"]
    filled["operations"] = [{**common[place], **options} for place, options in enumerate(operations)]
    filled["apis"] = apis
    return filled


def _filled_job(document: _Document, faults: list[Fault]) -> _Document:
    """The job with its own defaults; of its operations only what they all have in common."""
    operations = document.get("operations")
    trimmed = [_common(entry) for entry in operations] if isinstance(operations, list) else operations
    checked = {**document, "operations": trimmed} if "operations" in document else document
    try:
        return JobSpec.model_validate(checked).model_dump(by_alias=True, mode="json")
    except ValidationError as error:
        faults += job_faults(error)
        return {}


def _filled_operation(
    place: int, entry: object, *, job: _Document, catalog: Catalog, faults: list[Fault]
) -> _Document:
    """The options of one operation with their defaults; {} where the name itself is wrong."""
    if not isinstance(entry, dict) or not isinstance(entry.get("_op"), str) or not entry["_op"]:
        return {}  # the check of the job has said so
    path, name = f"operations.{place}", entry["_op"]
    faults += _connection_faults(path, entry)
    faults += use_faults(path, entry, job=job, catalog=catalog)
    try:
        kind = catalog.resolve(name)
    except (UnknownOperationError, AmbiguousOperationError, BundleError) as error:
        faults.append(Fault(f"{path}._op", str(error)))
        return {}
    faults += _place_faults(path, place, kind)
    kept = {option: entry[option] for option in sorted(ENGINE_OPTIONS & entry.keys())}
    given = {
        option: value
        for option, value in entry.items()
        if option not in ENGINE_OPTIONS and option not in _COMMON
    }
    owner = Owner(f"operation {kind.name}", path, kind.options)
    return kept | filled_options(owner, given, job=job, faults=faults)


def _place_faults(path: str, place: int, kind: OperationKind) -> Iterator[Fault]:
    is_reader = isinstance(kind, ReaderKind)
    if place == 0 and not is_reader:
        reason = (
            "it is a processor, the first operation must be a reader such as data_generator or file_reader"
        )
        yield Fault(f"{path}._op", f"Failure loading slicer from module: {kind.name}: {reason}")
    if place > 0 and is_reader:
        yield Fault(
            f"{path}._op", f"operation {kind.name}: a reader can only be the first operation of a job"
        )


def _connection_faults(path: str, entry: _Document) -> Iterator[Fault]:
    name, connection = entry["_op"], entry.get("_connection")
    if connection is not None:
        reason = f'Operation {name} refers to connection "{connection}" which is unavailable'
        yield Fault(f"{path}._connection", reason)


def _entries(document: _Document) -> list[Any]:
    operations = document.get("operations")
    return operations if isinstance(operations, list) else []


def _job_defaults() -> _Document:
    return {
        name: field.get_default(call_default_factory=True)
        for name, field in JobSpec.model_fields.items()
        if not field.is_required()
    }


def _common(entry: object) -> object:
    """What is checked for all operations alike."""
    if not isinstance(entry, dict):
        return entry
    return {name: entry[name] for name in _COMMON if name in entry}


def _name_of(document: _Document) -> str:
    name = document.get("name", JobSpec.model_fields["name"].default)
    return str(name)[:_MAX_MESSAGE_NAME]


def _invalid(faults: list[Fault], name: str = "") -> InvalidError:
    texts = [str(fault) for fault in faults[:_MAX_MESSAGE_FAULTS]]
    if len(faults) > _MAX_MESSAGE_FAULTS:
        texts.append(f"and {len(faults) - _MAX_MESSAGE_FAULTS} more")
    what = f"job config: {name}" if name else "job config"
    return InvalidError(f"Validation failed for {what} - {'; '.join(texts)}", tuple(faults))
