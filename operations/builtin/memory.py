"""Keeping the memory of one slice for the next.

The allocator gives what a slice of 10 MB has freed (60 to 100 MB of records) back to the system, and takes
it again for the next slice; clearing those pages took a third of the processor time of a whole job.  A worker
that reads files has the same needs slice after slice, so it keeps some.
"""

from __future__ import annotations

import ctypes
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
KEPT_BYTES: Final = 128 * 1024 * 1024
_MAPPED_FROM_BYTES: Final = 32 * 1024 * 1024  # the most that the allocator takes


def keep_freed_memory() -> bool:
    """Let this process keep up to KEPT_BYTES that it has freed; False if its C library cannot."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _MAPPED_FROM_BYTES) and mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES))
