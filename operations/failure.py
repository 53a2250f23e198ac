"""The text of an author's error, as operators read it: the operation, what it said, and where.

The text always fits into a message: it is cut in the middle, where a traceback is least telling, and holds no
character that cannot be written as UTF-8.
"""

from __future__ import annotations

import traceback

from sliceworks.protocol.messages import MAX_ERROR_CHARS

_HEAD_CHARS = MAX_ERROR_CHARS // 4
_MARK_CHARS = 100


def error_text(op: str, error: BaseException) -> str:
    """`<op>: <Type>: <message>`, a blank line, and the traceback with its causes."""
    said = "".join(traceback.format_exception_only(error)).strip()
    trace = "".join(traceback.format_exception(error))
    return capped(f"{op}: {said}\n\n{trace}")


def capped(text: str) -> str:
    """The text with at most MAX_ERROR_CHARS characters, all of which can be encoded."""
    clean = text.encode("utf-8", "backslashreplace").decode()
    if len(clean) <= MAX_ERROR_CHARS:
        return clean
    tail = MAX_ERROR_CHARS - _HEAD_CHARS - _MARK_CHARS
    left_out = len(clean) - _HEAD_CHARS - tail
    return f"{clean[:_HEAD_CHARS]}\n[... {left_out} characters left out ...]\n{clean[-tail:]}"
