"""Wheels in a bundle: the fitting one of each package is unpacked, and only their bundle can import them."""

from __future__ import annotations

import importlib
import sysconfig
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from sliceworks.operations.archive import LIMITS, ArchiveError, unpack
from sliceworks.operations.isolation import bundle_code
from sliceworks.operations.python_version import fits
from sliceworks.operations.wheels import unpack_wheels

PLATFORM = sysconfig.get_platform().replace("-", "_").replace(".", "_")


def write_zip(path: Path, files: Mapping[str, str | bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def wheel(folder: Path, name: str, text: str) -> Path:
    package, version = name.split("-")[:2]
    metadata = f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
    files = {f"{package}/__init__.py": text, f"{package}-{version}.dist-info/METADATA": metadata}
    return write_zip(folder / name, files)


def test_a_wheel_is_importable_for_its_bundle_only(tmp_path: Path, bundle: Callable[..., object]) -> None:
    other = wheel(tmp_path, "dep-2.0-py3-none-any.whl", "NAME = 'other'")
    source = wheel(tmp_path, "dep-1.0-py3-none-any.whl", "NAME = 'mine'")
    places = []
    for number, packed in enumerate((source, other)):
        files = {"asset.json": '{"name": "a", "version": "1.0.0"}', "op.py": "from dep import NAME"}
        path = write_zip(tmp_path / f"{number}.zip", {**files, f"wheels/{packed.name}": packed.read_bytes()})
        unpack(path, tmp_path / f"place{number}")
        places.append(tmp_path / f"place{number}")
    found = [bundle_code(place.name, place).load("op").NAME for place in places]
    assert found == ["mine", "other"]
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("dep")


def test_the_best_of_several_is_taken(tmp_path: Path) -> None:
    for tags, text in (
        ("py3-none-any", "pure"),
        (f"cp311-cp311-{PLATFORM}", "compiled"),
        ("cp27-cp27m-win32", "foreign"),
    ):
        wheel(tmp_path, f"dep-1.0-{tags}.whl", text)
    unpack_wheels(tmp_path, LIMITS)
    assert (tmp_path / ".wheels" / "dep" / "dep" / "__init__.py").read_text() == "compiled"


def test_a_package_with_no_fitting_wheel_is_refused(tmp_path: Path) -> None:
    wheel(tmp_path, "dep-1.0-cp27-cp27m-win32.whl", "")
    with pytest.raises(
        ArchiveError, match=r"no wheel of dep is for the Python .*: dep-1.0-cp27-cp27m-win32.whl"
    ):
        unpack_wheels(tmp_path, LIMITS)


@pytest.mark.parametrize("name", ["dep.whl", "dep-1.0.whl", "-1.0-py3-none-any.whl"])
def test_a_wheel_must_be_named_like_one(tmp_path: Path, name: str) -> None:
    write_zip(tmp_path / name, {"x.py": ""})
    with pytest.raises(ArchiveError, match="it is not named like a wheel"):
        unpack_wheels(tmp_path, LIMITS)


def test_a_hostile_wheel_is_refused(tmp_path: Path) -> None:
    write_zip(tmp_path / "in" / "dep-1.0-py3-none-any.whl", {"../../out.py": ""})
    with pytest.raises(ArchiveError, match=r"dep-1.0-py3-none-any.whl: .*leads out"):
        unpack_wheels(tmp_path / "in", LIMITS)
    assert not (tmp_path / "out.py").exists()


def test_parts_for_the_platform_are_found(tmp_path: Path, bundle: Callable[..., object]) -> None:
    write_zip(
        tmp_path / "dep-1.0-py3-none-any.whl",
        {"dep-1.0.data/purelib/dep.py": "NAME = 1", "dep-1.0.data/platlib/native.py": "NAME = 2"},
    )
    (tmp_path / "op.py").write_text("import dep, native\nfound = dep.NAME + native.NAME")
    unpack_wheels(tmp_path, LIMITS)
    assert bundle_code("a1", tmp_path).load("op").found == 3


@pytest.mark.parametrize(
    ("wanted", "version", "is_fit"),
    [
        ("3.11", "3.11.7", True),
        ("3.11", "3.12.0", True),
        ("3.12", "3.11.7", False),
        ("3", "3.13.1", True),
        (">=3.9,<3.12", "3.11.7", True),
        (">=3.9,<3.12", "3.12.0", False),
        ("==3.11.*", "3.11.7", True),
        ("~=3.11", "4.0", False),
        (">=3.14", "3.14.0rc1", False),
    ],
)
def test_python_versions(wanted: str, version: str, is_fit: bool) -> None:
    assert fits(wanted, version) is is_fit


@pytest.mark.parametrize("wanted", ["new", "3.x", ">=three", "3.11 or so"])
def test_a_python_version_that_is_none_is_said(wanted: str) -> None:
    with pytest.raises(ValueError, match=r"is no version such as 3\.11"):
        fits(wanted)
