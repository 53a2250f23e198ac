"""Errors that operations raise, and errors about operations."""

from __future__ import annotations

from typing import ClassVar

from sliceworks.protocol.errors import InvalidError, SliceworksError


class FatalSliceError(Exception):
    """Raise it in an operation when trying the slice again is useless: the slice ends in `error` at once."""


class SoftTimeoutError(Exception):
    """The slice takes longer than `slice_soft_timeout`; it may end the try like any other error."""


class UnknownOperationError(InvalidError):
    """No operation has this name; `nearest` are the most similar names that exist, best first."""

    def __init__(self, name: str, nearest: tuple[str, ...] = ()) -> None:
        hint = f"; did you mean {' or '.join(nearest)}?" if nearest else ""
        super().__init__(f"Unable to find module for operation: {name}{hint}")
        self.name = name
        self.nearest = nearest


class UnknownAssetError(UnknownOperationError):
    """An operation is pinned to an asset that is not among those of its job."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        identifier = name.partition("@")[2]
        reason = f"could not find the hashID for asset identifier {identifier}"
        self.args = (f"Invalid operation name for _op: {name}, {reason}",)


class AmbiguousOperationError(InvalidError):
    """Several assets of a job have this operation; `kind` is reader, processor, api or observer."""

    def __init__(self, name: str, kind: str) -> None:
        shown = "api" if kind == "observer" else kind
        super().__init__(
            f'Multiple assets containing the same {shown} name _op: "{name}", '
            "please specify which specific asset to use on its name"
        )


class SlicerError(SliceworksError):
    """A slicer cannot be started, or made something that is no slice request; names the slicer."""

    code: ClassVar[str] = "internal"


class NotRecoverableError(SlicerError):
    """A slicer that had begun is to go on in a new process, and says that it cannot."""


class ShutdownError(ExceptionGroup[Exception]):
    """Operations failed while they were flushed or shut down; holds one error for each."""
