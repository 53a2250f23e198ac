"""Where each record of a slice was read: path and offset, worked out when somebody asks."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from sliceworks.operations.record import Metadata


class TextPart:
    """The text of one piece of a file, as bytes."""

    def __init__(self, path: str, offset: int, data: bytes) -> None:
        self.path, self.data = path, data
        self._offset = offset

    def offset_of(self, line: int) -> int:
        """Where line number `line` of this part begins in the (decompressed) file."""
        return self._offset + self._line_starts[line]

    @cached_property
    def _line_starts(self) -> list[int]:
        return list(accumulate([len(line) + 1 for line in self.data.split(b"\n")], initial=0))


@dataclass(frozen=True, slots=True)
class _Range:
    part: TextPart
    lines: Sequence[int] | None


class FileMetadata:
    """The metadata of the records of one slice: `{"path": ..., "offset": ...}`."""

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._ranges: list[_Range] = []

    def add(self, first: int, part: TextPart, lines: Sequence[int] | None) -> None:
        """Records from place `first` on are from this part; `lines` are theirs, None: one for each line."""
        self._firsts.append(first)
        self._ranges.append(_Range(part, lines))

    def metadata_at(self, place: int) -> Metadata:
        """See `MetadataSource`."""
        index = bisect_right(self._firsts, place) - 1
        found = self._ranges[index]
        line = place - self._firsts[index]
        if found.lines is not None:
            line = found.lines[line]
        return {"path": found.part.path, "offset": found.part.offset_of(line)}
