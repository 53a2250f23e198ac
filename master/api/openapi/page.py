"""The document as one HTML page: no script, nothing loaded, so that it works on a host without internet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from typing import Any, Final

from sliceworks.master.api.description import Schema

_PREFIX: Final = "#/components/schemas/"
_LIMITS: Final = (
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "format",
)
_PACKAGE: Final = "sliceworks.master.api.openapi"


@dataclass(frozen=True, slots=True)
class _Operation:
    method: str
    path: str
    told: Schema

    @property
    def anchor(self) -> str:
        return str(self.told["operationId"])


def page_of(document: Schema) -> str:
    """All paths by tag, then all schemas."""
    info, schemas = document["info"], document["components"]["schemas"]
    operations = list(_operations(document["paths"]))
    body = [
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>",
        f"<p>{_marked(info['description'])}</p>",
        '<p>As OpenAPI 3.1: <a href="/openapi.json">/openapi.json</a></p>',
    ]
    for tag in document["tags"]:
        body += [f"<h2>{escape(tag['name'])}</h2>", f"<p>{_marked(tag['description'])}</p>"]
        body += [_operation(item) for item in operations if tag["name"] in item.told["tags"]]
    body += ["<h2>schemas</h2>", *(_schema(name, schemas[name]) for name in sorted(schemas))]
    return _page(f"{info['title']} API", body)


def _page(title: str, body: Sequence[str]) -> str:
    style = files(_PACKAGE).joinpath("page.css").read_text(encoding="utf-8")
    meta = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    head = f"<head>{meta}<title>{escape(title)}</title><style>{style}</style></head>"
    lines = "\n".join(body)
    return f'<!doctype html>\n<html lang="en">{head}\n<body>\n{lines}\n</body></html>\n'


def _operations(paths: Schema) -> Iterator[_Operation]:
    for path, methods in paths.items():
        for method, told in methods.items():
            yield _Operation(method, path, told)


def _operation(item: _Operation) -> str:
    told = item.told
    head = (
        f'<span class="method {item.method}">{item.method.upper()}</span><code>{escape(item.path)}</code>'
        f'<span class="what">{_marked(told.get("summary", ""))}</span>'
    )
    parts = [f"<p>{_marked(told['description'])}</p>"] if told.get("description") else []
    parts.append(f"<pre>{escape(_curl(item))}</pre>")
    if told["parameters"]:
        parts.append(_table(("parameter", "", "type", "meaning"), map(_parameter, told["parameters"])))
    if "requestBody" in told:
        content = told["requestBody"]["content"].items()
        parts.append(
            _table(("body", ""), ((escape(media), _type(kind["schema"])) for media, kind in content))
        )
    parts.append(_table(("answer", "", "type", "meaning"), _answers(told["responses"])))
    return f'<details id="{item.anchor}"><summary>{head}</summary><div>{"".join(parts)}</div></details>'


def _curl(item: _Operation) -> str:
    method = "" if item.method == "get" else f" -X {item.method.upper()}"
    media = next(iter(item.told.get("requestBody", {}).get("content", {})), "")
    body = {"": "", "application/json": " -d @job.json"}.get(media, " --data-binary @asset.zip")
    return f"curl -sS{method}{body} http://127.0.0.1:5678{item.path}"


def _parameter(told: Schema) -> tuple[str, ...]:
    return (
        f"<code>{escape(told['name'])}</code>",
        told["in"],
        _type(told["schema"]) + _default(told["schema"]),
        _marked(told["description"]),
    )


def _answers(responses: Schema) -> Iterator[tuple[str, ...]]:
    for status, told in responses.items():
        for media, kind in told["content"].items():
            yield status, escape(media), _type(kind["schema"]), _marked(told["description"])


def _schema(name: str, schema: Schema) -> str:
    parts = [f"<p>{_marked(schema.get('description', ''))}</p>"]
    if "properties" in schema:
        required = set(schema.get("required", ()))
        rows = (_field(field, told, must=field in required) for field, told in schema["properties"].items())
        parts.append(_table(("field", "", "type", "meaning"), rows))
    else:
        parts.append(f"<p>{_type(schema)}</p>")
    return f'<section id="schema-{escape(name)}"><h3>{escape(name)}</h3>{"".join(parts)}</section>'


def _field(name: str, told: Schema, *, must: bool) -> tuple[str, ...]:
    there = '<span class="must">always</span>' if must else ""
    return (
        f"<code>{escape(name)}</code>",
        there,
        _type(told) + _default(told),
        _marked(told.get("description", "")),
    )


def _type(schema: Schema) -> str:
    """What may stand there, in a few words."""
    if "$ref" in schema:
        name = escape(schema["$ref"].removeprefix(_PREFIX))
        return f'<a href="#schema-{name}">{name}</a>'
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return " or ".join(_type(one) for one in schema[several])
    if "const" in schema or "enum" in schema:
        values = [schema["const"]] if "const" in schema else schema["enum"]
        return ", ".join(f"<code>{escape(str(value)) or '(empty)'}</code>" for value in values)
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}{_limits(schema)}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"object, each value: {_type(schema['additionalProperties'])}"
    return f"{escape(str(schema.get('type', 'anything')))}{_limits(schema)}"


def _default(schema: Schema) -> str:
    default = schema.get("default")
    return "" if default in (None, [], {}, "") else f" <small>(default {escape(str(default))})</small>"


def _limits(schema: Schema) -> str:
    told = [f"{name} {schema[name]}" for name in _LIMITS if schema.get(name) not in (None, [], {}, "")]
    return f" <small>({escape(', '.join(told))})</small>" if told else ""


def _table(heads: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    head = "".join(f"<th>{text}</th>" for text in heads)
    lines = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{lines}</table>"


def _marked(text: str) -> str:
    """Text with words in `backquotes` set as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
