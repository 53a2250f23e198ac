"""What pydantic found, in the words of this API.

Texts of job fields are those that existing clients and scripts look for; texts of options name operation,
option and reason.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

import orjson
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sliceworks.operations.options import OperationOptions
from sliceworks.protocol.errors import Fault

_SHOWN_CHARS = 100
_OPERATIONS = "Operations need to be of type array with at least two operations in it"
_COUNT = "must be valid integer greater than zero"
_NUMBER = "must be valid integer greater than or equal to zero"
_COUNTS = {"workers", "slicers", "max_worker_losses", "max_attempts"}
_NUMBERS = {"max_retries"}
_TOO_LARGE = {"less_than_equal", "too_long", "string_too_long"}


def job_faults(error: ValidationError) -> list[Fault]:
    """The faults of a job's own fields."""
    return [
        Fault(".".join(str(part) for part in detail["loc"]), _job_text(detail))
        for detail in error.errors(include_url=False)
    ]


def option_faults(
    error: ValidationError, *, label: str, path: str, schema: type[OperationOptions]
) -> dict[str, Fault]:
    """The faults of an operation's options: one for each wrong option, by its name ("" for all together)."""
    reasons: dict[str, list[str]] = {}
    for detail in error.errors(include_url=False):
        option = str(detail["loc"][0]) if detail["loc"] else ""
        reasons.setdefault(option, []).append(_option_text(detail, option, schema))
    return {
        option: option_fault(label=label, path=path, option=option, reason=", or ".join(dict.fromkeys(texts)))
        for option, texts in reasons.items()
    }


def option_fault(*, label: str, path: str, option: str, reason: str) -> Fault:
    """One fault: `path` is that of the operation or API, `label` (`operation filter`) names it."""
    if not option:
        return Fault(path, f"{label}: {reason}")
    return Fault(f"{path}.{option}", f"{label}, option {option}: {reason}")


def nearest(name: str, names: Iterable[str]) -> str:
    """A hint at the names that may have been meant: `; did you mean a?`."""
    known = sorted(names)
    close = difflib.get_close_matches(name, known, n=2)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    return f"; known are {', '.join(known)}" if known else ""


def _job_text(detail: ErrorDetails) -> str:
    field, kind = str(detail["loc"][0]) if detail["loc"] else "", detail["type"]
    if kind in _TOO_LARGE:
        return _plain(detail)
    if len(detail["loc"]) == 1 and field == "operations":
        return _OPERATIONS
    if field in _COUNTS:
        return _COUNT
    if field in _NUMBERS:
        return _NUMBER
    return _text_by_kind(detail)


def _text_by_kind(detail: ErrorDetails) -> str:
    match detail["type"]:
        case "literal_error" if detail["loc"][0] == "log_level":
            return f"must be one of the following: {','.join(_choices(detail))}"
        case "literal_error":
            return "Invalid option: expected one of " + "|".join(f'"{choice}"' for choice in _choices(detail))
        case "missing" | "string_type":
            return "This field is required and must be of type string"
        case "model_type" | "dict_type":
            return "must be object"
    return _plain(detail)


def _option_text(detail: ErrorDetails, option: str, schema: type[OperationOptions]) -> str:
    match detail["type"]:
        case "extra_forbidden":
            return f"there is no such option{nearest(option, schema.model_fields)}"
        case "missing":
            return "is required"
    places = "".join(f"[{part}]" for part in detail["loc"][1:] if isinstance(part, int))
    return f"{_plain(detail)}{f' (at {places})' if places else ''}"


def _plain(detail: ErrorDetails) -> str:
    """The text of a validator of ours as it is; pydantic's with the value it complains about."""
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    text = detail["msg"].replace("Input should", "must", 1).replace("String should", "must", 1)
    text = text.replace("valid tuple", "valid array")
    return f"{text}, got {_shown(detail['input'])}"


def _choices(detail: ErrorDetails) -> list[str]:
    """The texts that a literal allows: pydantic has them as `'a', 'b' or 'c'`."""
    expected: str = detail["ctx"]["expected"]
    return expected.replace(" or ", ", ").replace("'", "").split(", ")


def _shown(value: Any) -> str:
    try:
        text = orjson.dumps(value, default=repr).decode()
    except TypeError:  # text that is no Unicode
        text = repr(value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}..."
