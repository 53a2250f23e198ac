"""Identifiers.

Jobs, executions and nodes have random uuids as text.  A slice is known by its `Seq`, a small integer that
counts the slices of one execution from 1: the store's integer key, and all that travels on the hot path.  The
uuid that users see is computed from (execution, seq) and back, so it is neither stored nor sent.  Slices that
a recovery copies from another execution keep the uuid they had there; only those carry it as a column.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from functools import lru_cache
from typing import NewType

ExId = NewType("ExId", str)
NodeId = NewType("NodeId", str)
SliceId = NewType("SliceId", str)
Seq = NewType("Seq", int)
Epoch = NewType("Epoch", int)
WorkerId = NewType("WorkerId", int)

_LOW_MASK = (1 << 62) - 1
_UUID_VERSION = 8 << 76
_UUID_VARIANT = 2 << 62


def new_id() -> str:
    """A random uuid as text; for jobs, executions, nodes and incarnations."""
    return str(uuid.uuid4())


@lru_cache(maxsize=1024)
def _masks(ex_id: ExId) -> tuple[int, int]:
    """The fixed upper half of an execution's slice ids, and what its seqs are xored with."""
    digest = hashlib.blake2b(ex_id.encode(), digest_size=16, person=b"sliceworks-id").digest()
    high = int.from_bytes(digest[:8], "big") & ~(0xF << 12) & ((1 << 64) - 1)
    return (high << 64) | _UUID_VERSION | _UUID_VARIANT, int.from_bytes(digest[8:], "big") & _LOW_MASK


def slice_id_of(ex_id: ExId, seq: Seq) -> SliceId:
    """The uuid (version 8, RFC 9562) of the slice `seq` of `ex_id`."""
    base, mask = _masks(ex_id)
    return SliceId(str(uuid.UUID(int=base | (seq ^ mask))))


def seq_of(ex_id: ExId, slice_id: SliceId) -> Seq | None:
    """The seq behind a slice id that `slice_id_of` made for this execution; None for any other text."""
    try:
        value = uuid.UUID(slice_id).int
    except ValueError:
        return None
    base, mask = _masks(ex_id)
    if value & ~_LOW_MASK != base:
        return None
    return Seq((value & _LOW_MASK) ^ mask)


class SliceKeys:
    """Finds which of several executions made a slice, from the id that the slice keeps when it is copied."""

    def __init__(self, ex_ids: Sequence[ExId]) -> None:
        masks = [_masks(ex_id) for ex_id in ex_ids]
        self._known = {base: (place, mask) for place, (base, mask) in enumerate(masks)}

    def of(self, slice_id: SliceId) -> tuple[int, Seq] | None:
        """The place of the execution among those given, and the seq there; None for any other text."""
        try:
            value = uuid.UUID(slice_id).int
        except ValueError:
            return None
        found = self._known.get(value & ~_LOW_MASK)
        if found is None:
            return None
        place, mask = found
        return place, Seq((value & _LOW_MASK) ^ mask)
