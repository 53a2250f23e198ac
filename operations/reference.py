"""The reference page of the built-in operations, made from their schemas.

`docs/operations.md` is the output of `python -m sliceworks.operations.reference`; a test fails when the two
differ.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from typing import Any, Final

import orjson

from sliceworks.operations.registry import OPERATIONS, OperationKind, ReaderKind

_INTRODUCTION: Final = """\
# Built-in operations

Made by `python -m sliceworks.operations.reference`; do not edit.

A job's first operation is a reader, all others are processors. Every operation has besides its own options:

| option | default | meaning |
| --- | --- | --- |
| `_op` | required | its name |
| `_dead_letter_action` | `"throw"` | bad records: `throw` fails the slice, `log` logs and \
drops them, `none` drops them; the name of one of the job's `apis` gives them to it |
| `_encoding` | `"json"` | how operations that read or write messages turn bytes into records: \
`json` (an object) or `raw` (as they are, in the field `data`); no effect on the built-in operations |
| `_api_name` | none | the API of the job's `apis` that the operation uses |

An option that an operation does not know is refused when the job is submitted.

A job's `apis` is a list of objects with `_name` (`name`, or `name:tag` for several of one kind),
`_dead_letter_action`, `_encoding`, and the API's own options. APIs and observers come from authors: see
[writing operations](writing-operations.md).
"""


_TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "object",
}


def reference() -> str:
    """The page, as Markdown."""
    kinds = sorted(OPERATIONS.values(), key=lambda kind: (not isinstance(kind, ReaderKind), kind.name))
    return "\n".join([_INTRODUCTION, *("\n".join(_section(kind)) for kind in kinds)])


def _section(kind: OperationKind) -> Iterator[str]:
    role = "reader" if isinstance(kind, ReaderKind) else "processor"
    described = kind.slicer if isinstance(kind, ReaderKind) else kind.processor
    yield f"## {kind.name}\n"
    yield f"A {role}. {inspect.getdoc(described) or ''}\n".replace(".  ", ". ")
    schema = kind.options.model_json_schema()
    fields: dict[str, Any] = schema.get("properties", {})
    if not fields:
        yield "It has no options.\n"
        return
    yield "| option | type | default | meaning |"
    yield "| --- | --- | --- | --- |"
    for name, field in fields.items():
        is_required = name in schema.get("required", ())
        default = "required" if is_required else _default(kind, name)
        yield f"| `{name}` | {_type(field, schema)} | {default} | {_cell(field.get('description', ''))} |"
    yield ""


def _default(kind: OperationKind, name: str) -> str:
    value = kind.options.model_fields[name].get_default(call_default_factory=True)
    return "none" if value is None else f"`{orjson.dumps(value).decode()}`"


def _type(field: dict[str, Any], schema: dict[str, Any]) -> str:
    """The type of an option in words: `text`, `whole number or text`, `"a", "b"`."""
    if "$ref" in field:
        return _type(schema["$defs"][field["$ref"].rpartition("/")[2]], schema)
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "anyOf" in field:
        types = [_type(option, schema) for option in field["anyOf"] if option.get("type") != "null"]
        return " or ".join(dict.fromkeys(types))
    if field.get("type") == "array":
        return f"list of {_type(field['items'], schema)}"
    return _TYPES.get(field.get("type", ""), "any")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(reference())
