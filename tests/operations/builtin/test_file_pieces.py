"""Cutting files and packing pieces; going on after any request."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sliceworks.operations.builtin import file_pieces
from sliceworks.operations.builtin.file_pieces import MAX_FILES_PER_SLICE, Piece, cut, pack
from sliceworks.operations.builtin.file_scan import FoundFile

SIZES = st.lists(st.integers(0, 30), max_size=12)


def files(sizes: list[int]) -> list[FoundFile]:
    return [FoundFile(f"/folder/{number:03}.txt", size, 0) for number, size in enumerate(sizes)]


def requests(
    found: list[FoundFile], size: int, last: Piece | None = None, *, splits: bool = True
) -> list[Any]:
    return list(pack(cut(found, size=size, can_split=lambda _: splits, last=last), size=size))


def ranges(made: list[Any]) -> list[list[tuple[str, int, int]]]:
    return [[(p["path"][-7:-4], p["start"], p["end"]) for p in request["files"]] for request in made]


def test_big_files_are_cut_and_small_ones_share() -> None:
    assert ranges(requests(files([25, 3, 4, 0, 10]), 10)) == [
        [("000", 0, 10)],
        [("000", 10, 20)],
        [("000", 20, 25), ("001", 0, 3)],
        [("002", 0, 4)],
        [("004", 0, 10)],
    ]


def test_what_cannot_be_split_stays_whole() -> None:
    assert ranges(requests(files([25, 3, 4]), 10, splits=False)) == [
        [("000", 0, 25)],
        [("001", 0, 3), ("002", 0, 4)],
    ]


@given(SIZES, st.integers(1, 12))
def test_every_byte_is_in_one_piece_and_slices_are_not_too_large(sizes: list[int], size: int) -> None:
    made = requests(files(sizes), size)
    pieces = [piece for request in made for piece in request["files"]]
    for found in files(sizes):
        own = [(piece["start"], piece["end"]) for piece in pieces if piece["path"] == found.path]
        assert [start for start, _ in own] == [0, *(end for _, end in own)][: len(own)]
        assert (own[-1][1] if own else 0) == found.size
    assert all(sum(p["end"] - p["start"] for p in request["files"]) <= size for request in made)


@given(SIZES, st.integers(1, 12), st.booleans())
def test_it_goes_on_after_any_request_as_if_nothing_had_happened(
    sizes: list[int], size: int, splits: bool
) -> None:
    made = requests(files(sizes), size, splits=splits)
    for number, request in enumerate(made):
        last = request["files"][-1]
        assert requests(files(sizes), size, last, splits=splits) == made[number + 1 :]


def test_it_goes_on_though_the_last_file_is_gone_or_the_size_is_another() -> None:
    found = files([10, 10, 10])
    last = requests(found, 4)[3]["files"][-1]
    assert ranges(requests(found[:1] + found[2:], 100, last)) == [[("002", 0, 10)]]
    assert ranges(requests(found, 100, last)) == [[("001", 4, 10), ("002", 0, 10)]]


def test_a_request_names_a_limited_number_of_files(monkeypatch: Any) -> None:
    assert [len(request["files"]) for request in requests(files([1] * 2500), 10_000)] == [
        MAX_FILES_PER_SLICE,
        2500 - MAX_FILES_PER_SLICE,
    ]
    monkeypatch.setattr(file_pieces, "MAX_PATH_CHARS_PER_SLICE", len("/folder/000.txt") * 2)
    assert [len(request["files"]) for request in requests(files([1] * 5), 100)] == [2, 2, 1]
