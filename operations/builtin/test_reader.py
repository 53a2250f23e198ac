"""Gives the same slices and records each time, from files: for trying the operations after it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from sliceworks.operations.base import OperationSetup
from sliceworks.operations.errors import SlicerError
from sliceworks.operations.options import StrictOptions
from sliceworks.operations.reader import Fetcher, Recovery, Slicer
from sliceworks.operations.record import Records
from sliceworks.protocol.errors import Fault

_REQUESTS = [{"count": 10, "number": number} for number in range(10)]
_RECORDS = [{"id": number, "name": f"record {number}", "even": number % 2 == 0} for number in range(10)]


class TestReaderOptions(StrictOptions):
    """What is read."""

    fetcher_data_file_path: str | None = None
    """A file with a JSON array of records, which every slice gives; without it 10 records of its own."""
    slicer_data_file_path: str | None = None
    """A file with a JSON array of requests, one for each slice; without it 10 requests of its own."""
    passthrough_slice: bool = False
    """The requests are the records: each must be an array of objects."""

    def requests(self) -> list[Any]:
        """All requests; ValueError says what is wrong with the file."""
        return _array(self.slicer_data_file_path) if self.slicer_data_file_path else _REQUESTS

    def records_text(self) -> bytes:
        """The records of each slice, as JSON; ValueError says what is wrong with the file."""
        path = self.fetcher_data_file_path
        return orjson.dumps(_checked(_array(path), path) if path else _RECORDS)

    def check(self, job: Mapping[str, Any]) -> Iterable[Fault]:
        """Files that are not there or hold something else."""
        try:
            requests = self.requests()
            if self.passthrough_slice:
                for request in requests:
                    _checked(
                        request, self.slicer_data_file_path or "without slicer_data_file_path, a request"
                    )
        except ValueError as error:
            yield Fault("slicer_data_file_path", str(error))
        try:
            self.records_text()
        except ValueError as error:
            yield Fault("fetcher_data_file_path", str(error))


class TestReaderSlicer(Slicer):
    """Gives the same slices and records each time, from files: for trying the operations after it.

    A job with the lifecycle `once` takes each request once, a persistent one begins again at the end.  It
    can be recovered.
    """

    __test__ = False  # the name is the operation's: it is no test
    Options = TestReaderOptions
    op_config: TestReaderOptions

    def __init__(self, setup: OperationSetup) -> None:
        super().__init__(setup)
        self._requests = self.op_config.requests()
        self._is_endless = self.execution_config.lifecycle == "persistent"
        self._place = 0

    def is_recoverable(self) -> bool:
        """Yes: the checkpoint is the place in the list."""
        return True

    def initialize(self, recovery: Recovery) -> None:
        """Go on after the requests that were made; SlicerError if their number is not known."""
        if not recovery:
            return
        if "checkpoint" not in recovery[0]:
            message = "cannot go on without the checkpoint that says how many requests were made"
            raise SlicerError(message)
        self._place = int(recovery[0]["checkpoint"])

    def slice(self) -> Any:
        """The next request."""
        if self._is_endless and self._place >= len(self._requests):
            self._place = 0
        if self._place >= len(self._requests):
            return None
        self._place += 1
        return self._requests[self._place - 1 : self._place]  # in a list, for it may be one itself

    def checkpoint(self) -> bytes:
        """How many requests were made."""
        return b"%d" % self._place


class TestReaderFetcher(Fetcher):
    """Gives the records of the file, or those of the request."""

    __test__ = False
    Options = TestReaderOptions
    op_config: TestReaderOptions
    makes_cycles = False

    def __init__(self, setup: OperationSetup) -> None:
        super().__init__(setup)
        self._text = b"" if self.op_config.passthrough_slice else self.op_config.records_text()

    def fetch(self, request: Any) -> Records:
        """The records, fresh each time."""
        if self.op_config.passthrough_slice:
            return _checked(request, "the request")
        records: Records = orjson.loads(self._text)
        return records


def _array(path: str) -> list[Any]:
    try:
        found = orjson.loads(Path(path).read_bytes())
    except FileNotFoundError as error:
        message = f"{path} does not exist"
        raise ValueError(message) from error
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}"
        raise ValueError(message) from error
    except orjson.JSONDecodeError as error:
        message = f"{path} is not JSON: {error}"
        raise ValueError(message) from error
    if not isinstance(found, list):
        message = f"{path} must hold a JSON array"
        raise ValueError(message)
    return found


def _checked(found: Any, where: str) -> Records:
    if isinstance(found, list) and all(isinstance(record, dict) for record in found):
        return found
    message = f"{where} must be an array of objects"
    raise ValueError(message)
