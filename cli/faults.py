"""Errors as commands tell them: a text on stderr, and an exit code."""

from __future__ import annotations

from typing import Final

from sliceworks.protocol.errors import EXIT_CODE, InvalidError, SliceworksError

NOT_ALLOWED: Final = EXIT_CODE["not_allowed"]


def exit_code_for(error: SliceworksError) -> int:
    """The exit code of an error."""
    return EXIT_CODE[error.code]


def error_text(error: SliceworksError, *, about: str = "") -> str:
    """The message; where it has faults, its head and each of them on a line of its own."""
    start = f"Error: {about}: " if about else "Error: "
    if not isinstance(error, InvalidError) or not error.faults:
        return f"{start}{error}"
    head = str(error).partition(" - ")[0]
    return "\n".join([f"{start}{head}", *(f"  {fault}" for fault in error.faults)])


def os_error_text(error: OSError) -> str:
    """What the system refused, and about which file."""
    reason = error.strerror or str(error)
    return f"Error: {error.filename}: {reason}" if error.filename else f"Error: {reason}"
