"""Access to the operation APIs of a worker: what each of them handed out, by its name in the job."""

from __future__ import annotations

import inspect
import re
from typing import Any

_PIN = re.compile(r"@[0-9a-f]{40}")


class Apis:
    """What the APIs of one worker handed out; filled while the worker starts, in the order of the job."""

    def __init__(self) -> None:
        self._handed_out: dict[str, Any] = {}

    def add(self, name: str, handed_out: Any) -> None:
        """From now on, operations get this for that name."""
        self._handed_out[name] = handed_out

    def get(self, name: str) -> Any:
        """What the API of this name handed out; LookupError if it has not (yet), or is no API of the job."""
        named = self._named(name)
        if len(named) != 1:
            there = ", ".join(self._handed_out) or "none"
            message = (
                f"there is no API {name} (ready are: {there}): list it in the `apis` of the job, before the"
                " APIs that use it; it is ready when `initialize` of the operations is called"
            )
            raise LookupError(message)
        return self._handed_out[named[0]]

    def _named(self, name: str) -> list[str]:
        """The API of this name; or those that the job has pinned, which authors cannot know of."""
        if name in self._handed_out:
            return [name]
        return [other for other in self._handed_out if _PIN.sub("", other) == name]

    def check_dead_letter(self, name: str) -> None:
        """TypeError if what this API handed out cannot be called with a bad record and its error."""
        handed_out = self.get(name)
        call = handed_out if inspect.isroutine(handed_out) else getattr(handed_out, "__call__", None)  # noqa: B004 - the method itself is looked at
        if call is None or inspect.iscoroutinefunction(call):
            message = f"API {name} cannot take dead letters: it must hand out a plain (not async) callable"
            raise TypeError(message)
