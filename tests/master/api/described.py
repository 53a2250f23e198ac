"""The API's own document, as a judge of answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker


@dataclass(frozen=True)
class Described:
    """One operation of the document."""

    method: str
    path: str
    told: dict[str, Any]

    @property
    def options(self) -> dict[str, dict[str, Any]]:
        """The schemas of its query options, by name."""
        return {item["name"]: item["schema"] for item in self.told["parameters"] if item["in"] == "query"}

    @property
    def required(self) -> set[str]:
        return {
            item["name"] for item in self.told["parameters"] if item["in"] == "query" and item["required"]
        }


class Document:
    """What `/openapi.json` says."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    def operations(self) -> Iterator[Described]:
        for path, methods in self.document["paths"].items():
            for method, told in methods.items():
                yield Described(method.upper(), path, told)

    def operation(self, method: str, path: str) -> Described:
        """The one that serves this path; a literal part goes before a parameter."""
        found = [item for item in self.operations() if item.method == method and _matches(item.path, path)]
        assert found, f"{method} {path} is not in the document"
        return min(found, key=lambda item: [part.startswith("{") for part in item.path.split("/")])

    def check(self, operation: Described, status: int, media: str, body: bytes) -> None:
        """The answer is one of those that the document promises; AssertionError."""
        where = f"{operation.method} {operation.path}: {status}"
        responses = operation.told["responses"]
        assert str(status) in responses, f"{where} is not among {', '.join(responses)}: {body[:300]!r}"
        content = responses[str(status)]["content"]
        media = media.partition(";")[0]
        assert media in content, f"{where}: {media} is not among {', '.join(content)}"
        if media == "application/json":
            schema = {**content[media]["schema"], "components": self.document["components"]}
            validator = Draft202012Validator(schema, format_checker=FormatChecker())
            faults = [
                f"{fault.json_path}: {fault.message}" for fault in validator.iter_errors(json.loads(body))
            ]
            assert not faults, f"{where}: {faults}\n{body[:2000]!r}"


def _matches(template: str, path: str) -> bool:
    return bool(re.fullmatch(re.sub(r"\\?{\w+\\?}", "[^/]+", re.escape(template)), path))
