"""The tree itself: what is shipped is what is there, and what the pages say of it is true."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tools import api_reference, banned_calls, cli_reference, generated, sizes, states
from tools.tree import CODE, ROOMS, ROOT, python_files

PATH_IN_TEXT = re.compile(r"`((?:[\w.-]+/)+[\w.-]*)`")


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an sdist, and of the wheel built from it."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
    )
    return folder


def test_the_wheel_built_from_the_sdist_has_exactly_the_files_of_the_rooms(distributions: Path) -> None:
    (wheel,) = distributions.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert packed == {f"sliceworks/{name}" for name in files_of(ROOMS)}
    assert "sliceworks/cli/main.py" in packed


def test_the_sdist_has_what_is_needed_to_build_and_test(distributions: Path) -> None:
    (sdist,) = distributions.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    assert files_of((*ROOMS, "tests", "tools", "benchmarks")) <= packed
    assert {"pyproject.toml", "Makefile", "constraints.txt", "README.md"} <= packed


def test_every_room_is_typed_and_says_what_it_is() -> None:
    for room in ROOMS:
        assert (ROOT / room / "py.typed").is_file()
    for path in python_files(*CODE):
        assert path.read_text().startswith(('"""', "#!", "r'''")), f"{path} has no docstring"


def test_sliceworks_is_a_namespace_package() -> None:
    assert not (ROOT / ".dev" / "sliceworks" / "__init__.py").exists()


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"])
def test_each_path_that_a_page_names_exists(page: str) -> None:
    named = PATH_IN_TEXT.findall((ROOT / page).read_text())
    ours = [name for name in named if (ROOT / name.partition("/")[0]).exists() and not is_made_later(name)]
    assert [name for name in ours if not (ROOT / name).exists()] == []


def test_architecture_stays_short() -> None:
    assert len((ROOT / "ARCHITECTURE.md").read_text().splitlines()) <= 150


def test_no_file_or_function_is_too_large() -> None:
    found = [size for path in python_files(*CODE, "tests") for size in sizes.measure(path)]
    assert sizes.faults(found, sizes.read_allowed()) == []


def test_no_task_is_started_that_nobody_owns() -> None:
    assert [fault for path in python_files(*ROOMS) for fault in banned_calls.faults(path)] == []


def test_the_drawings_of_states_are_current() -> None:
    assert generated.is_current(ROOT / states.PAGE, states.page())


def test_the_reference_of_commands_is_current() -> None:
    assert generated.is_current(ROOT / cli_reference.PAGE, cli_reference.page())


def test_the_table_of_requests_is_current() -> None:
    text = (ROOT / api_reference.PAGE).read_text(encoding="utf-8")
    assert generated.is_current(ROOT / api_reference.PAGE, api_reference.page(text))


def files_of(folders: tuple[str, ...]) -> set[str]:
    """Paths of what git would keep below these folders."""
    paths = (path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file())
    return {path.relative_to(ROOT).as_posix() for path in paths if "__pycache__" not in path.parts}


def is_made_later(name: str) -> bool:
    """Folders that commands make."""
    return name.startswith(("demo-output/", "bench-output/", ".venv/"))
