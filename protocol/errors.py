"""Errors that cross a border: an operator reads the message, a program reads the code.

One base, a few families, and two tables: code to HTTP status, code to exit code of the command line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with what a client sent: where (dotted path, "" for the whole) and what."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class SliceworksError(Exception):
    """Base of all errors with a code; the text says what happened, to what, and what to do next."""

    code: ClassVar[str] = "internal"


class ConfigError(SliceworksError):
    """A setting is unknown, of the wrong type, or cannot be used on this machine."""

    code = "config"


class ProtocolError(SliceworksError):
    """Bytes that are not a message of this protocol, or a message out of place."""

    code = "protocol"


class PeerError(ProtocolError):
    """The peer broke the protocol: its connection is closed with the reason, nothing else suffers."""

    code = "peer"


class VersionError(PeerError):
    """The peer speaks another major version of the protocol."""

    code = "version"


class NotFoundError(SliceworksError):
    """The named document does not exist."""

    code = "not_found"


class ConflictError(SliceworksError):
    """The state of the thing does not allow what was asked."""

    code = "conflict"


class NotAllowedError(SliceworksError):
    """Whoever asks may not."""

    code = "not_allowed"


class GoneError(SliceworksError):
    """The thing was deleted."""

    code = "gone"


class InvalidError(SliceworksError):
    """Input that fails validation; `faults` lists every fault found, not the first."""

    code = "invalid"

    def __init__(self, message: str, faults: tuple[Fault, ...] = ()) -> None:
        super().__init__(message)
        self.faults = faults


class UnprocessableError(SliceworksError):
    """Well-formed input that can never be accepted as sent."""

    code = "unprocessable"


class TooLargeError(SliceworksError):
    """More bytes than a limit allows."""

    code = "too_large"


class UnavailableError(SliceworksError):
    """Cannot be done now, and can be later without anybody doing anything."""

    code = "unavailable"


class StoreError(SliceworksError):
    """The state store failed."""

    code = "store"


class StoreUnavailableError(StoreError):
    """The state store cannot be read or written now; what was being written may be durable or not.

    Whoever writes numbered batches tries the same one again.
    """

    code = "store_unavailable"


class FencedError(StoreError):
    """A newer generation owns this execution; the process must end and write nothing more."""

    code = "fenced"


HTTP_STATUS: dict[str, int] = {
    "internal": 500,
    "config": 500,
    "protocol": 400,
    "peer": 400,
    "version": 400,
    "not_found": 404,
    "conflict": 409,
    "not_allowed": 403,
    "gone": 410,
    "invalid": 400,
    "unprocessable": 422,
    "too_large": 413,
    "unavailable": 503,
    "store": 503,
    "store_unavailable": 503,
    "fenced": 503,
}

EXIT_CODE: dict[str, int] = {
    "internal": 1,
    "config": 1,
    "protocol": 1,
    "peer": 1,
    "version": 1,
    "not_found": 4,
    "conflict": 5,
    "not_allowed": 6,
    "gone": 5,
    "invalid": 2,
    "unprocessable": 2,
    "too_large": 2,
    "unavailable": 7,
    "store": 1,
    "store_unavailable": 7,
    "fenced": 1,
}
