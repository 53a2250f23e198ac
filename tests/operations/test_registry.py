"""Finding operations by name."""

from __future__ import annotations

import pytest

from sliceworks.operations.builtin.filter import Filter
from sliceworks.operations.errors import UnknownOperationError
from sliceworks.operations.registry import OPERATIONS, ProcessorKind, ReaderKind, resolve


def test_finds_readers_and_processors() -> None:
    reader, processor = resolve("file_reader"), resolve("filter")
    assert isinstance(reader, ReaderKind)
    assert isinstance(processor, ProcessorKind)
    assert processor.options is Filter.Options


def test_slicer_and_fetcher_share_one_schema() -> None:
    readers = [kind for kind in OPERATIONS.values() if isinstance(kind, ReaderKind)]
    assert all(kind.slicer.Options is kind.fetcher.Options for kind in readers)


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(
        UnknownOperationError, match="Unable to find module for operation: fil_reader"
    ) as caught:
        resolve("fil_reader")
    assert caught.value.nearest[0] == "file_reader"
    assert caught.value.code == "invalid"
    with pytest.raises(UnknownOperationError) as caught:
        resolve("zzzzzz")
    assert caught.value.nearest == ()
