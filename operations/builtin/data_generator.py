"""Makes records out of nothing: for trying a cluster, and for measuring it.

A request is `{"start": 0, "count": 5000}`: the first id and how many.  Every id belongs to exactly one
slice, whatever the number of slicers: slicer i of n makes the slices i, i + n, i + 2n ...  With more than
one slicer the request also has the `stride` from one slice of a slicer to its next, so that a recovery that
would leave gaps can be refused.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

from pydantic import Field

from sliceworks.operations.base import OperationSetup
from sliceworks.operations.errors import SlicerError
from sliceworks.operations.options import StrictOptions
from sliceworks.operations.reader import Fetcher, ParallelSlicer, Recovery
from sliceworks.operations.record import Record, Records

_NOISE = struct.Struct("<16s4BHHIHH")
_URLS = tuple(
    f"https://{host}.example/{path}" for host in ("www", "shop", "api", "news") for path in "abcdefgh"
)
_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "curl/8.8.0",
    "Wget/1.24.5",
    "Go-http-client/2.0",
    "python-requests/2.32.3",
)
_DEGREES = 180 / 65_535
_SEEDED_FROM = datetime(2025, 1, 1, tzinfo=UTC)


class DataGeneratorOptions(StrictOptions):
    """How many records, and in which portions."""

    size: int = Field(default=5000, ge=1, le=2**53)
    """Lifecycle `once`: records in all; `persistent`: records of each slice."""
    slice_size: int = Field(default=5000, ge=1, le=10_000_000)
    """Lifecycle `once`: records of each slice."""
    seed: int | str | None = None
    """With it, a record depends on its id and the seed only: each run makes the same."""


class DataGeneratorSlicer(ParallelSlicer):
    """Makes records with random values: for trying a cluster, and for measuring it.

    A record has `id` (0, 1, 2 ... over the whole execution), `uuid`, `created`, `ip`, `url`, `userAgent`,
    `bytes` and `location`.  Every id is in one slice only, also with several slicers.  It can be recovered,
    with the same number of slicers.
    """

    Options = DataGeneratorOptions
    op_config: DataGeneratorOptions

    def __init__(self, setup: OperationSetup) -> None:
        super().__init__(setup)
        options, slicers = self.op_config, self.execution_config.slicers
        is_endless = self.execution_config.lifecycle == "persistent"
        self._count = options.size if is_endless else options.slice_size
        self._end = None if is_endless else options.size
        self._stride = self._count * slicers
        self._starts = [slicer_id * self._count for slicer_id in range(slicers)]

    def is_recoverable(self) -> bool:
        """Yes: a request says where it ends."""
        return True

    def initialize(self, recovery: Recovery) -> None:
        """Go on after the last requests.

        Raises SlicerError when the number of slicers, or with several slicers the size of slices, is
        another now.
        """
        for entry in recovery:
            last = entry["last_slice"]
            if last is None:
                continue
            has_several = len(self._starts) > 1
            if last.get("stride") != (self._stride if has_several else None) or entry["slicer_id"] >= len(
                self._starts
            ):
                message = "cannot go on with another number of slicers, or several and another size of slices"
                raise SlicerError(message)
            self._starts[entry["slicer_id"]] = last["start"] + (
                self._stride if has_several else last["count"]
            )

    def new_slicer(self, slicer_id: int) -> _Run:
        """The slices of one slicer."""
        stride = self._stride if len(self._starts) > 1 else None
        return _Run(start=self._starts[slicer_id], count=self._count, end=self._end, stride=stride)


class _Run:
    """Makes the requests of one slicer."""

    __slots__ = ("_count", "_end", "_start", "_stride")

    def __init__(self, *, start: int, count: int, end: int | None, stride: int | None) -> None:
        self._start, self._count, self._end, self._stride = start, count, end, stride

    def slice(self) -> dict[str, int] | None:
        """The next request."""
        start, count = self._start, self._count
        if self._end is not None:
            count = min(count, self._end - start)
            if count <= 0:
                return None
        if self._stride is None:
            self._start = start + count
            return {"start": start, "count": count}
        self._start = start + self._stride
        return {"start": start, "count": count, "stride": self._stride}


class DataGeneratorFetcher(Fetcher):
    """Makes the records of a request."""

    Options = DataGeneratorOptions
    op_config: DataGeneratorOptions
    makes_cycles = False

    def __init__(self, setup: OperationSetup) -> None:
        super().__init__(setup)
        seed = self.op_config.seed
        self._key = None if seed is None else blake2b(str(seed).encode()).digest()

    def fetch(self, request: dict[str, int]) -> Records:
        """Records with the ids `start` to `start + count`, without the last."""
        start, count = request["start"], request["count"]
        if self._key is None:
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            noise = os.urandom(_NOISE.size * count)
            return [_record(start + i, drawn, now) for i, drawn in enumerate(_NOISE.iter_unpack(noise))]
        return [_record(number, drawn, _moment(drawn)) for number, drawn in _drawn(self._key, start, count)]


def _drawn(key: bytes, start: int, count: int) -> Iterator[tuple[int, tuple[Any, ...]]]:
    for number in range(start, start + count):
        digest = blake2b(number.to_bytes(16, "little"), digest_size=_NOISE.size, key=key).digest()
        yield number, _NOISE.unpack(digest)


def _moment(drawn: tuple[Any, ...]) -> str:
    """A time in the year that seeded records are from."""
    moment = _SEEDED_FROM + timedelta(seconds=drawn[7] % (365 * 86_400))
    return moment.isoformat(timespec="milliseconds")


def _record(number: int, drawn: tuple[Any, ...], created: str) -> Record:
    noise, a, b, c, d, size, choice, _, north, east = drawn
    digits = noise.hex()
    return {
        "id": number,
        "uuid": f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{'89ab'[a & 3]}{digits[17:20]}-{digits[20:]}",
        "created": created,
        "ip": f"{a}.{b}.{c}.{d}",
        "url": _URLS[choice & 31],
        "userAgent": _AGENTS[choice >> 13],
        "bytes": size * 97 + 200,
        "location": f"{north * _DEGREES - 90:.4f}, {east * 2 * _DEGREES - 180:.4f}",
    }
