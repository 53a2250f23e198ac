"""Reading a job from a file: what is wrong with its JSON is said with line and column."""

from __future__ import annotations

import json
from typing import Any

from sliceworks.protocol.errors import InvalidError


def parse_job(text: bytes, name: str) -> Any:
    """The JSON in `text`; InvalidError names the file, line and column of what is malformed."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        message = f"{name} is not JSON: line {error.lineno}, column {error.colno}: {error.msg}"
        raise InvalidError(message) from error
    except UnicodeDecodeError as error:
        message = f"{name} is not UTF-8: byte {error.start}"
        raise InvalidError(message) from error
