"""Whether an answer is what the table says: `<type>` stands for any value of it, `…` for any text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.api_contract.table import Answer

MAX_CHARS = 300

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

_TYPES: dict[str, Callable[[Any], bool]] = {
    "<id>": lambda value: isinstance(value, str) and bool(_ID.fullmatch(value)),
    "<time>": lambda value: isinstance(value, str) and bool(_TIME.fullmatch(value)),
    "<text>": lambda value: isinstance(value, str),
    "<number>": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "<bool>": lambda value: isinstance(value, bool),
    "<object>": lambda value: isinstance(value, dict),
    "<list>": lambda value: isinstance(value, list),
}


@dataclass(frozen=True)
class Reply:
    """What the API said."""

    status: int
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def __str__(self) -> str:
        text = " ".join(self.text.split())
        return f"{self.status} {text if len(text) < MAX_CHARS else text[:MAX_CHARS] + '…'}"


def fill(text: str, names: Mapping[str, str]) -> str:
    """Put what a case is about in the place of `{…}`."""
    for name, value in names.items():
        text = text.replace("{" + name + "}", value)
    return text


def differences(answer: Answer, reply: Reply, names: Mapping[str, str]) -> list[str]:
    """In what a reply is not the answer."""
    if reply.status != answer.status:
        return [f"HTTP {answer.status} expected, got {reply}"]
    text = fill(answer.text, names)
    try:
        found = _compare(answer, text, reply, ex=names["ex"])
    except ValueError:
        found = ["it is no JSON"]
    return [f"{each}; got {reply}" for each in found]


def _compare(answer: Answer, text: str, reply: Reply, *, ex: str) -> list[str]:
    match answer.kind:
        case "" if answer.status >= 400:
            return _fault(answer.status, text, reply.json)
        case "":
            return _unlike(json.loads(text), reply.json)
        case "a row with":
            rows = [line.split() for line in reply.text.splitlines()]
            return [] if any(set(text.split()) <= set(row) for row in rows) else [f"no row with {text}"]
        case "no row with":
            return [f"a row with {part}" for part in text.split("` nor `") if part and part in reply.text]
        case "a list with" | "a list without" | "a list of" | "a list of only":
            return _list(answer.kind, json.loads(text), reply.json)
        case "no process of it" | "its controller and its workers, with their pids":
            return _processes(reply.json, ex, are_there=answer.kind.startswith("its"))
    raise ValueError(answer.kind)


def _fault(status: int, text: str, body: Any) -> list[str]:
    if not isinstance(body, dict) or body.get("error") != status or "message" not in body:
        return ["the body of an error must have `error` and `message`"]
    pattern = ".*".join(re.escape(part) for part in text.split("…"))
    return [] if re.fullmatch(pattern, body["message"], re.S) else [f"the text must be {text!r}"]


def _list(kind: str, pattern: Any, body: Any) -> list[str]:
    if not isinstance(body, list):
        return ["it must be a list"]
    unlike = [_unlike(pattern, item) for item in body]
    match kind:
        case "a list with":
            key = next(iter(pattern))
            about = [found for item, found in zip(body, unlike, strict=True) if item.get(key) == pattern[key]]
            return about[0] if about else [f"nothing with {key} {pattern[key]}"]
        case "a list without":
            return [] if all(unlike) else [f"{pattern} must not be in it"]
        case "a list of only" if not body:
            return ["it must not be empty"]
    return [each for found in unlike for each in found]


def _processes(state: Any, ex: str, *, are_there: bool) -> list[str]:
    """Those of an execution in the cluster's state."""
    entries = [entry for node in state.values() for entry in node["active"] if entry.get("ex_id") == ex]
    if not are_there:
        return [f"there must be no process of it: {entries}"] if entries else []
    kinds = {
        entry["assignment"]
        for entry in entries
        if entry["pid"] > 0 and entry["worker_id"] and entry["job_id"]
    }
    missing = {"execution_controller", "worker"} - kinds
    return [f"there must be a process of it as {', '.join(sorted(missing))}"] if missing else []


def _unlike(pattern: Any, value: Any, path: str = "") -> list[str]:
    """Objects may hold more than the pattern, unless it is empty."""
    if isinstance(pattern, str) and pattern in _TYPES:
        return [] if _TYPES[pattern](value) else [f"{path or 'it'} must be {pattern}, is {value!r}"]
    if not isinstance(pattern, dict) or not pattern:
        return [] if pattern == value else [f"{path or 'it'} must be {pattern!r}, is {value!r}"]
    if not isinstance(value, dict):
        return [f"{path or 'it'} must be an object, is {value!r}"]
    missing = [f"{path}{key} is missing" for key in pattern if key not in value]
    inner = [
        each for key in pattern if key in value for each in _unlike(pattern[key], value[key], f"{path}{key}.")
    ]
    return missing + inner
