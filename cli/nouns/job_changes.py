"""What differs between two documents: path by path."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

ABSENT: Final = object()
"""In place of a value: there is none."""

_OF_THE_MASTER: Final = frozenset({"job_id", "_context", "_created", "_updated"})


@dataclass(frozen=True, slots=True)
class Change:
    """One field, with its dotted path."""

    path: str
    before: Any
    after: Any

    def document(self) -> dict[str, Any]:
        """As JSON; what is absent is left out."""
        sides = {"before": self.before, "after": self.after}
        return {"path": self.path, **{name: side for name, side in sides.items() if side is not ABSENT}}

    def lines(self) -> Iterator[str]:
        """As lines of a diff."""
        if self.before is not ABSENT:
            yield f"- {self.path}: {json.dumps(self.before)}"
        if self.after is not ABSENT:
            yield f"+ {self.path}: {json.dumps(self.after)}"


def job_changes(stored: dict[str, Any], posted: dict[str, Any]) -> list[Change]:
    """What replacing a stored job by another one changes; the fields that the master writes are left out."""
    own = {name: value for name, value in stored.items() if name not in _OF_THE_MASTER}
    new = {name: value for name, value in posted.items() if name not in _OF_THE_MASTER}
    return list(_changes(own, new, ""))


def _changes(before: Any, after: Any, path: str) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys([*before, *after]):
            yield from _changes(before.get(name, ABSENT), after.get(name, ABSENT), _below(path, name))
    elif isinstance(before, list) and isinstance(after, list):
        for place in range(max(len(before), len(after))):
            yield from _changes(_item(before, place), _item(after, place), _below(path, str(place)))
    elif before is ABSENT or after is ABSENT or json.dumps(before) != json.dumps(after):
        yield Change(path, before, after)


def _item(items: list[Any], place: int) -> Any:
    return items[place] if place < len(items) else ABSENT


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
