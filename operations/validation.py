"""A job as posted, checked as a whole: every fault at once, or the document with every default filled in.

What a fault says is written for whoever posted the job: where it is (`operations.1.regex`), which operation
and option, and what is wrong.  Texts that clients of this API know are kept.  It may look at files and run
authors' checks, so a daemon calls it in a child process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from sliceworks.operations.errors import UnknownOperationError
from sliceworks.operations.fault_texts import job_faults, option_fault, option_faults
from sliceworks.operations.registry import ENGINE_OPTIONS, OperationKind, ReaderKind, resolve
from sliceworks.protocol.documents import JobSpec
from sliceworks.protocol.errors import Fault, InvalidError

_COMMON = ("_op", "_encoding", "_dead_letter_action")
_DEAD_LETTER_ACTIONS = ("throw", "log", "none")
_MAX_MESSAGE_FAULTS = 20
_MAX_MESSAGE_NAME = 200

_Document = dict[str, Any]


def validate_job(document: object) -> dict[str, Any]:
    """The job with all defaults, its operations' too, ready to become an execution.

    Raises InvalidError with all faults.  Unknown fields of the job are kept, and so are unknown options of
    an operation that allows them.
    """
    if not isinstance(document, dict):
        fault = Fault("", "must be object")
        raise _invalid([fault])
    faults: list[Fault] = []
    filled = _filled_job(document, faults)
    faults += _api_faults(document)
    job = {**_job_defaults(), **document, **filled}
    operations = [
        _filled_operation(place, entry, job=job, faults=faults)
        for place, entry in enumerate(_entries(document))
    ]
    if faults:
        name = document.get("name", JobSpec.model_fields["name"].default)
        raise _invalid(faults, str(name)[:_MAX_MESSAGE_NAME])
    common = filled["operations"]
    filled["operations"] = [{**common[place], **options} for place, options in enumerate(operations)]
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


def _filled_operation(place: int, entry: object, *, job: _Document, faults: list[Fault]) -> _Document:
    """The options of one operation with their defaults; {} where the name itself is wrong."""
    if not isinstance(entry, dict) or not isinstance(entry.get("_op"), str) or not entry["_op"]:
        return {}  # the check of the job has said so
    path, name = f"operations.{place}", entry["_op"]
    faults += _engine_faults(path, entry, job)
    try:
        kind = resolve(name)
    except UnknownOperationError as error:
        faults.append(Fault(f"{path}._op", str(error)))
        return {}
    faults += _place_faults(path, place, kind)
    kept = {option: entry[option] for option in sorted(ENGINE_OPTIONS & entry.keys())}
    return kept | _filled_options(path, kind, entry, job=job, faults=faults)


def _filled_options(
    path: str, kind: OperationKind, entry: _Document, *, job: _Document, faults: list[Fault]
) -> _Document:
    """The options with their defaults; with faults in some, the others are still checked."""
    given = {
        name: value for name, value in entry.items() if name not in ENGINE_OPTIONS and name not in _COMMON
    }
    wrong: dict[str, Fault] = {}
    try:
        options = kind.options.model_validate(given)
    except ValidationError as error:
        wrong = option_faults(error, op=kind.name, path=path, schema=kind.options)
        faults += wrong.values()
        try:
            options = kind.options.model_validate({n: value for n, value in given.items() if n not in wrong})
        except ValidationError:
            return {}
    try:
        found = list(options.check(job))
    except Exception as error:  # noqa: BLE001 - the author's check: its failure is a fault of the job
        found = [Fault("", f"could not be checked: {type(error).__name__}: {error}")]
    faults += (
        option_fault(op=kind.name, path=path, option=fault.path, reason=fault.message)
        for fault in found
        if fault.path.partition(".")[0] not in wrong
    )
    return options.model_dump(mode="json")


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


def _engine_faults(path: str, entry: _Document, job: _Document) -> Iterator[Fault]:
    """Faults in the fields that all operations have."""
    name, action = entry["_op"], entry.get("_dead_letter_action", "throw")
    if isinstance(action, str) and action and action not in _DEAD_LETTER_ACTIONS:
        reason = f"must be throw, log or none: dead letter APIs are not available, got {action!r}"
        yield option_fault(op=name, path=path, option="_dead_letter_action", reason=reason)
    api_name = entry.get("_api_name")
    if api_name is not None and api_name not in _api_names(job):
        yield Fault(f"{path}._api_name", f"Could not find the associated api for {api_name}")
    connection = entry.get("_connection")
    if connection is not None:
        reason = f'Operation {name} refers to connection "{connection}" which is unavailable'
        yield Fault(f"{path}._connection", reason)


def _api_faults(job: _Document) -> Iterator[Fault]:
    """Operation APIs are checked by name; there are none yet."""
    seen: set[Any] = set()
    for place, name in enumerate(_api_names(job)):
        path = f"apis.{place}._name"
        if not isinstance(name, str) or not name:
            yield Fault(path, "API requires an _name")
        elif name in seen:
            yield Fault(path, f"Duplicate API configurations for {name} found")
        else:
            seen.add(name)
            yield Fault(path, f"Unable to find module for operation: {name}")


def _api_names(job: Mapping[str, Any]) -> list[Any]:
    apis = job.get("apis")
    return [api.get("_name") for api in apis if isinstance(api, dict)] if isinstance(apis, list) else []


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


def _invalid(faults: list[Fault], name: str = "") -> InvalidError:
    texts = [str(fault) for fault in faults[:_MAX_MESSAGE_FAULTS]]
    if len(faults) > _MAX_MESSAGE_FAULTS:
        texts.append(f"and {len(faults) - _MAX_MESSAGE_FAULTS} more")
    what = f"job config: {name}" if name else "job config"
    return InvalidError(f"Validation failed for {what} - {'; '.join(texts)}", tuple(faults))
