"""Finding files: folders, globs, lists, what is left out, and the order."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from sliceworks.operations.builtin.file_scan import find_files, order_key, what_is_wrong_with

TREE = ["a.txt", "a/x.log", "a/y.txt", "a/b/z.txt", "b.txt", "c/.hidden", ".git/config", "c/deep/er/f.log"]


@pytest.fixture
def tree(tmp_path: Path, write: Any) -> Path:
    for name in TREE:
        write(f"tree/{name}", name)
    return tmp_path / "tree"


def found(tree: Path, *paths: str, exclude: tuple[str, ...] = ()) -> list[str]:
    files = list(find_files([str(tree / path) for path in paths], exclude))
    assert [order_key(file.path) for file in files] == sorted(order_key(file.path) for file in files)
    return [str(Path(file.path).relative_to(tree)) for file in files]


def test_a_folder_is_all_visible_files_below_it(tree: Path) -> None:
    assert found(tree, "") == ["a/b/z.txt", "a/x.log", "a/y.txt", "a.txt", "b.txt", "c/deep/er/f.log"]


def test_size_and_time_are_those_of_the_file(tree: Path) -> None:
    (file,) = find_files([str(tree / "a.txt")], [])
    assert (file.size, file.modified_ns) == (5, (tree / "a.txt").stat().st_mtime_ns)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.txt", ["a.txt", "b.txt"]),
        ("?.txt", ["a.txt", "b.txt"]),
        ("[a].txt", ["a.txt"]),
        ("*/*.txt", ["a/y.txt"]),
        ("**/*.txt", ["a/b/z.txt", "a/y.txt", "a.txt", "b.txt"]),
        ("a/**/*.txt", ["a/b/z.txt", "a/y.txt"]),
        ("**/deep/**", ["c/deep/er/f.log"]),
        ("**/**/z.*", ["a/b/z.txt"]),
        ("*", ["a/b/z.txt", "a/x.log", "a/y.txt", "a.txt", "b.txt", "c/deep/er/f.log"]),
        ("**", ["a/b/z.txt", "a/x.log", "a/y.txt", "a.txt", "b.txt", "c/deep/er/f.log"]),
        ("a*/b", ["a/b/z.txt"]),
        (".g*/*", [".git/config"]),
        ("c/.h*", ["c/.hidden"]),
        ("*.none", []),
    ],
)
def test_globs(tree: Path, pattern: str, expected: list[str]) -> None:
    assert found(tree, pattern) == expected


def test_what_a_path_names_is_read_though_it_is_hidden(tree: Path) -> None:
    assert found(tree, ".git", "c/.hidden") == [".git/config", "c/.hidden"]


def test_a_name_with_magic_in_it_is_a_name_if_it_exists(tree: Path) -> None:
    (tree / "a[1].csv").touch()
    (tree / "a1.csv").touch()
    assert found(tree, "a[1].csv") == ["a[1].csv"]


def test_a_file_is_found_once_though_several_paths_lead_to_it(tree: Path) -> None:
    assert found(tree, "a", "**/*.txt", "a/x.log", "b.txt") == [
        "a/b/z.txt",
        "a/x.log",
        "a/y.txt",
        "a.txt",
        "b.txt",
    ]


@pytest.mark.parametrize(
    ("exclude", "expected"),
    [
        (("*.txt",), ["a/x.log", "c/deep/er/f.log"]),
        (("b", "er"), ["a/x.log", "a/y.txt", "a.txt", "b.txt"]),
        (("a/*",), ["a.txt", "b.txt", "c/deep/er/f.log"]),
        (("**/deep/**", "a*"), ["b.txt"]),
    ],
)
def test_exclude(tree: Path, exclude: tuple[str, ...], expected: list[str]) -> None:
    assert found(tree, "", exclude=exclude) == expected
    assert found(tree, "**/*", exclude=exclude) == expected


def test_exclude_takes_whole_paths_too(tree: Path) -> None:
    assert found(tree, "*.txt", exclude=(str(tree / "a.*"),)) == ["b.txt"]
    assert found(tree, "a.txt", exclude=("a.txt",)) == []


def test_links_are_followed_only_where_a_path_names_them(tree: Path) -> None:
    (tree / "loop").symlink_to(tree)
    (tree / "link.txt").symlink_to(tree / "b.txt")
    assert "link.txt" not in found(tree, "")
    assert found(tree, "link.txt") == ["link.txt"]
    assert found(tree, "l*.txt") == ["link.txt"]
    assert found(tree, "loop/a/b") == ["loop/a/b/z.txt"]


def test_what_is_no_file_or_is_gone_is_left_out(tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    (tree / "nowhere").symlink_to(tree / "missing")
    assert "pipe" not in found(tree, "", "nowhere", "missing")
    assert found(tree, "pipe", "nowhere", "missing") == []


def test_says_what_is_wrong_with_a_path(tree: Path) -> None:
    assert what_is_wrong_with(str(tree)) is None
    assert what_is_wrong_with(str(tree / "a.txt")) is None
    assert what_is_wrong_with(str(tree / "*.none")) is None
    missing = str(tree / "missing")
    assert what_is_wrong_with(missing) == f"{missing} does not exist"
    assert what_is_wrong_with(f"{missing}/*.txt") == f"{missing}/*.txt does not exist"
    assert "cannot be read" in str(what_is_wrong_with("x" * 300))
    assert "cannot be read" in str(what_is_wrong_with("a\0b"))
