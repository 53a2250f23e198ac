"""The OpenAPI 3.1 document of some routes; pure, and the same for the same routes.

Schemas come from the types that the descriptions name.  Bodies are described as what may be sent (what has a
default may be left out), answers as what is sent; a document that is answered as it was posted, as a body.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any, Final, Literal, TypeAlias, get_args

from pydantic import TypeAdapter

from sliceworks.master.api.context import Route
from sliceworks.master.api.description import JSON, About, Answer, Option, Schema, Shape
from sliceworks.master.api.openapi.words import ABOUT, ERRORS, PATH_PARAMETERS, SERVERS, TAGS
from sliceworks.master.api.shapes import AS_POSTED, Problem

Mode: TypeAlias = Literal["validation", "serialization"]
Key: TypeAlias = tuple[str, str, str]  # method, path, and which of its shapes

REFERENCE: Final = "#/components/schemas/{model}"
_PARAMETER: Final = re.compile(r"{(\w+)(?::([^{}]+))?}")


def openapi(routes: Sequence[Route], version: str) -> Schema:
    """The whole document."""
    schemas, components = _schemas(routes)
    spelled = _spelled(routes)
    paths: dict[str, Schema] = {}
    for route in routes:
        path = spelled[_shape(route.path)]
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, schemas, path=path)
    used = {route.about.tag for route in routes}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sliceworks", "version": version, "description": ABOUT},
        "servers": SERVERS,
        "tags": [{"name": tag, "description": text} for tag, text in TAGS.items() if tag in used],
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": components},
    }


def plain(path: str) -> str:
    """A path as OpenAPI writes it: what a parameter may match stands in its schema."""
    return _PARAMETER.sub(r"{\1}", path)


def _spelled(routes: Sequence[Route]) -> dict[str, str]:
    """OpenAPI has one spelling for paths that differ in the names of their parameters only: the first."""
    spelled: dict[str, str] = {}
    for route in routes:
        spelled.setdefault(_shape(route.path), plain(route.path))
    return spelled


def _shape(path: str) -> str:
    return _PARAMETER.sub("{}", path)


def errors_of(about: About) -> list[int]:
    """The statuses of errors that a route may answer with."""
    read = {400} if about.options or about.body is not None else set()
    body = {413} if about.body is not None else set()
    return sorted({*about.errors, *read, *body, 500, 503})


def _schemas(routes: Sequence[Route]) -> tuple[dict[Key, Schema], dict[str, Schema]]:
    inputs = [entry for route in routes for entry in _shapes(route)]
    found, definitions = TypeAdapter.json_schemas(
        [(key, mode, TypeAdapter(shape)) for key, mode, shape in inputs]
        + [(("", "", "problem"), "serialization", TypeAdapter(Problem))],
        ref_template=REFERENCE,
    )
    return {key: schema for (key, _), schema in found.items()}, definitions["$defs"]


def _shapes(route: Route) -> Iterator[tuple[Key, Mode, Shape]]:
    about = route.about
    place = (route.method, route.path)
    for number, answer in enumerate(_answers(about)):
        posted = AS_POSTED in get_args(answer.shape) or AS_POSTED in _inner(answer.shape)
        yield (*place, f"answer {number}"), "validation" if posted else "serialization", answer.shape
    if about.body is not None:
        yield (*place, "body"), "validation", about.body


def _inner(shape: Shape) -> tuple[Any, ...]:
    """What is said of the items of a list."""
    return tuple(word for item in get_args(shape) for word in getattr(item, "__metadata__", ()))


def _answers(about: About) -> tuple[Answer, ...]:
    return (Answer(about.answer, media=about.media), *about.also)


def _operation(route: Route, schemas: dict[Key, Schema], *, path: str) -> Schema:
    about = route.about
    place = (route.method, route.path)
    summary, _, more = (inspect.getdoc(route.handler) or "").partition("\n")
    operation: Schema = {
        "operationId": _operation_id(route.method, path),
        "tags": [about.tag],
        "summary": summary,
        "description": " ".join(more.split()),
        "parameters": [*_path_parameters(route.path, path), *map(_query_parameter, about.options)],
    }
    if about.body is not None:
        content = {about.body_media: {"schema": schemas[*place, "body"]}}
        operation["requestBody"] = {"required": True, "content": content}
    responses: dict[str, Schema] = {}
    for number, answer in enumerate(_answers(about)):
        known = responses.setdefault(str(answer.status), _response(answer.status))
        known["content"][answer.media] = {"schema": schemas[*place, f"answer {number}"]}
    for status in errors_of(about):
        response = responses.setdefault(str(status), _response(status))
        response["content"].setdefault(JSON, {"schema": schemas["", "", "problem"]})
    return {name: value for name, value in {**operation, "responses": responses}.items() if value != ""}


def _response(status: int) -> Schema:
    return {"description": ERRORS.get(status, HTTPStatus(status).phrase), "content": {}}


def _operation_id(method: str, path: str) -> str:
    return "_".join(re.findall(r"\w+", f"{method.lower()} {path}")).replace("__", "_")


def _path_parameters(path: str, spelled: str) -> list[Schema]:
    """Described by the names that the route gives them, and called as the path is spelled."""
    called = [match[1] for match in _PARAMETER.finditer(spelled)]
    told = [match.groups() for match in _PARAMETER.finditer(path)]
    return [
        _path_parameter(name, PATH_PARAMETERS[key], pattern)
        for name, (key, pattern) in zip(called, told, strict=True)
    ]


def _path_parameter(name: str, told: tuple[str, Schema], pattern: str | None) -> Schema:
    about, schema = told
    limits = {"pattern": f"^({pattern})$"} if pattern else {}
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": about,
        "schema": {"type": "string", "minLength": 1, **schema, **limits},
    }


def _query_parameter(option: Option) -> Schema:
    return {
        "name": option.name,
        "in": "query",
        "required": option.required,
        "description": option.about,
        "schema": option.schema,
    }
