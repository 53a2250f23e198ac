"""Packages with machine code, and what they require: under their own names, once in a process."""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import TYPE_CHECKING

import msgpack
import pytest

from sliceworks.operations.compiled_wheels import own_names

if TYPE_CHECKING:
    from tests.operations.conftest import MakeBundle, MakeCode

SUFFIX = EXTENSION_SUFFIXES[0]


def wheel(
    package: str, text: str, *, compiled: bool = False, requires: tuple[str, ...] = ()
) -> dict[str, str]:
    """The files of an unpacked wheel with the module `package`."""
    folder = f".wheels/{package}"
    metadata = "".join(f"Requires-Dist: {other}\n" for other in requires)
    metadata = f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n{metadata}"
    files = {
        f"{folder}/{package}/__init__.py": text,
        f"{folder}/{package}-1.dist-info/METADATA": metadata,
        f"{folder}/{package}-1.dist-info/RECORD": text,
    }
    return {**files, f"{folder}/{package}/native{SUFFIX}": ""} if compiled else files


NATIVE = wheel("nativedep", "NAME = 'one'", compiled=True)
OTHER = wheel("nativedep", "NAME = 'other'", compiled=True)
OP = {"op.py": "from nativedep import NAME"}


def test_what_is_compiled_and_what_that_requires_keep_their_names(bundle: MakeBundle) -> None:
    requires = (
        "middle>=1",
        "absent",
        'never; python_version < "3"',
        'extra; extra == "all"',
        "not a requirement!",
    )
    place = bundle(
        {
            **wheel("nativedep", "", compiled=True, requires=requires),
            **wheel("middle", "", requires=("lowest",)),
            **wheel("lowest", "", requires=("nativedep",)),
            **wheel("never", ""),
            **wheel("extra", ""),
            **wheel("pure", "", requires=("nativedep",)),
            ".wheels/lowest/lowest_module.py": "",
        }
    )
    names = own_names(place.directory / ".wheels")
    assert sorted(names) == ["lowest", "lowest_module", "middle", "nativedep"]
    assert own_names(place.directory / "nowhere") == {}


def test_a_compiled_package_has_its_own_name(code: MakeCode) -> None:
    files = {
        **NATIVE,
        **wheel("pure", "from nativedep import NAME"),
        "op.py": "import nativedep, pure\nfrom pure import NAME",
    }
    module = code(files).load("op")
    assert module.NAME == "one"
    assert sys.modules["nativedep"] is module.nativedep
    assert "pure" not in sys.modules


def test_other_bundles_do_not_get_it(code: MakeCode) -> None:
    assert code({**NATIVE, **OP}).load("op").NAME == "one"
    with pytest.raises(ModuleNotFoundError, match="No module named 'nativedep'"):
        code(OP).load("op")


def test_two_bundles_with_the_same_wheel_share_it(code: MakeCode) -> None:
    modules = [code({**NATIVE, "op.py": "import nativedep"}).load("op") for _ in range(2)]
    assert modules[0].nativedep is modules[1].nativedep


def test_two_versions_in_one_process_are_refused(code: MakeCode) -> None:
    code({**NATIVE, **OP}).load("op")
    second = code({**OTHER, **OP, "fine.py": "x = 1"})
    assert second.load("fine").x == 1
    with pytest.raises(ImportError, match=r"nativedep is compiled.* use the same wheel in both assets"):
        second.load("op")


def test_what_is_installed_goes_first(code: MakeCode) -> None:
    files = {**wheel("msgpack", "NAME = 'mine'", compiled=True), "op.py": "import msgpack"}
    assert code(files).load("op").msgpack is msgpack


def test_its_modules_import_what_their_bundle_has(code: MakeCode) -> None:
    text = "def find():\n    from pure import NAME\n    return NAME"
    files = {
        **wheel("nativedep", text, compiled=True),
        **wheel("pure", "NAME = 'mine'"),
        "op.py": "import nativedep",
    }
    assert code(files).load("op").nativedep.find() == "mine"
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("pure")


def test_real_machine_code_works(code: MakeCode) -> None:
    installed = Path(msgpack.__file__).parent
    native = installed / f"_cmsgpack{SUFFIX}"
    if not native.exists():
        pytest.skip("msgpack is installed without its machine code")
    made = code({**NATIVE, "op.py": "from nativedep._cmsgpack import Packer\npacked = Packer().pack([1])"})
    folder = made.directory / ".wheels" / "nativedep" / "nativedep"
    for file in (native, installed / "exceptions.py", installed / "ext.py"):
        (folder / file.name).write_bytes(file.read_bytes())
    assert made.load("op").packed == b"\x91\x01"
