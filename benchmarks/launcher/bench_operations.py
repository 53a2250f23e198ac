"""Operations that only the benchmarks need: slices of given lengths, slices that know their birth."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from sliceworks.operations import Fetcher, OperationOptions, Recovery, Slicer
from sliceworks.operations.record import Records

registry = sys.modules["sliceworks.operations.registry"]


class LengthsOptions(OperationOptions):
    path: str
    """A file with a JSON array: how many milliseconds each slice takes."""


class LengthsSlicer(Slicer):
    """One slice for each length, in order."""

    Options = LengthsOptions
    op_config: LengthsOptions

    def initialize(self, recovery: Recovery) -> None:
        lengths = json.loads(Path(self.op_config.path).read_text())
        self._parts = iter([lengths[at : at + 500] for at in range(0, len(lengths), 500)])

    def slice(self) -> Any:
        return next(self._parts, None)


class LengthsFetcher(Fetcher):
    """Takes as long as the request says."""

    Options = LengthsOptions

    def fetch(self, request: Any) -> Records:
        time.sleep(request / 1000)
        return [{"ms": request}]


class TickerOptions(OperationOptions):
    ms: int = 25
    """From one slice to the next."""


class TickerSlicer(Slicer):
    """A slice now and then; its request is the wall clock in ns when it was made."""

    Options = TickerOptions
    op_config: TickerOptions

    async def slice(self) -> Any:
        await asyncio.sleep(self.op_config.ms / 1000)
        return time.time_ns()


class TickerFetcher(Fetcher):
    """One record."""

    Options = TickerOptions

    def fetch(self, request: Any) -> Records:
        return [{"made_ns": request}]


KINDS = (
    registry.ReaderKind("bench_lengths", LengthsSlicer, LengthsFetcher),
    registry.ReaderKind("bench_ticker", TickerSlicer, TickerFetcher),
)
