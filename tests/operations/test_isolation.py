"""The code of two assets in one process: each sees its own modules, and nobody else sees any of them."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sliceworks.operations.isolation import PREFIX
from sliceworks.operations.reader import Slicer

if TYPE_CHECKING:
    from tests.operations.conftest import MakeBundle, MakeCode


def two_versions(code: MakeCode, files: dict[str, str]) -> tuple[Any, Any]:
    """The module `op` of two bundles that differ in `shared.NAME` only."""
    first = code({"shared.py": "NAME = 'first'", **files})
    second = code({"shared.py": "NAME = 'second'", **files})
    return first.load("op"), second.load("op")


@pytest.mark.parametrize(
    "text",
    [
        "import shared\nfound = shared.NAME",
        "from shared import NAME as found",
        "import shared as other\nfound = other.NAME",
        "from importlib import import_module\nfound = import_module('shared').NAME",
        "import importlib\nfound = importlib.import_module('shared').NAME",
        "found = __import__('shared').NAME",
        "from . import shared\nfound = shared.NAME",
        "exec('from shared import NAME as found')",
    ],
)
def test_each_imports_its_own(code: MakeCode, text: str) -> None:
    first, second = two_versions(code, {"op.py": text})
    assert (first.found, second.found) == ("first", "second")
    assert "shared" not in sys.modules


def test_imports_inside_functions_happen_when_they_are_called(code: MakeCode) -> None:
    text = """
        def find():
            from shared import NAME
            return NAME
        class Op:
            def go(self):
                return find()
        """
    first, second = two_versions(code, {"op.py": text})
    assert [second.find(), first.find(), second.Op().go(), first.Op().go()] == [
        "second",
        "first",
        "second",
        "first",
    ]


def test_imports_in_threads_are_those_of_the_bundle(code: MakeCode) -> None:
    first, second = two_versions(
        code, {"op.py": "def find(found):\n    import shared\n    found.append(shared.NAME)"}
    )
    found: list[str] = []
    for module in (first, second):
        thread = threading.Thread(target=module.find, args=(found,))
        thread.start()
        thread.join()
    assert found == ["first", "second"]


def test_packages_import_absolutely_and_relatively(code: MakeCode) -> None:
    files = {
        "my_op/__init__.py": "",
        "my_op/schema.py": "LIMIT = 3",
        "my_op/processor.py": """
            import my_op.schema
            import my_op.schema as again
            from my_op import schema as third
            from .schema import LIMIT
            from helpers.deep.text import shout
            found = [my_op.schema.LIMIT, again.LIMIT, third.LIMIT, LIMIT, shout("a")]
            """,
        "helpers/deep/text.py": "from ..loud import volume\ndef shout(text): return text.upper() * volume",
        "helpers/loud.py": "volume = 2",
    }
    assert code(files).load("my_op.processor").found == [3, 3, 3, 3, "AA"]


def test_a_bundle_cannot_shadow_the_standard_library_or_us(code: MakeCode) -> None:
    names = ("json", "logging", "asyncio", "sliceworks", "pydantic", "builtins", "sys", "typing")
    files = {f"{name}.py": "raise RuntimeError('shadowed')" for name in names}
    text = "\n".join([f"import {name}" for name in names]) + "\nfrom sliceworks.operations import Slicer"
    module = code({**files, "op.py": text}).load("op")
    assert module.json is json
    assert module.Slicer is Slicer


def test_a_bundle_may_bring_another_version_of_what_is_installed(code: MakeCode) -> None:
    module = code({"rich/__init__.py": "NAME = 'mine'", "op.py": "import rich\nfrom rich import NAME"}).load(
        "op"
    )
    assert module.NAME == "mine"
    rich = importlib.import_module("rich")
    assert not hasattr(rich, "NAME")
    assert module.rich is not rich


def test_a_mere_folder_does_not_hide_what_is_installed(code: MakeCode) -> None:
    module = code({"rich/notes.txt": "", "op.py": "import rich"}).load("op")
    assert module.rich is importlib.import_module("rich")


def test_others_see_nothing_of_a_bundle(code: MakeCode) -> None:
    path = list(sys.path)
    code({"only_here.py": "", "op.py": "import only_here"}).load("op")
    assert sys.path == path
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("only_here")
    with pytest.raises(ModuleNotFoundError):
        code({"op.py": "import only_here"}).load("op")


def test_what_is_not_found_is_named_as_the_author_knows_it(code: MakeCode) -> None:
    text = """
        try:
            import helpers.missing
        except ModuleNotFoundError as error:
            found = (str(error), error.name)
        """
    module = code({"helpers/__init__.py": "", "op.py": text}).load("op")
    assert module.found == ("No module named 'helpers.missing'", "helpers.missing")


def test_changing_a_module_at_run_time_stays_in_the_bundle(code: MakeCode) -> None:
    text = """
        import shared, sys
        shared.NAME = shared.NAME.upper()
        own = sys.modules[__name__]
        """
    first, second = two_versions(code, {"op.py": text})
    assert (first.shared.NAME, second.shared.NAME) == ("FIRST", "SECOND")
    assert first.own is first


def test_objects_are_pickled_under_their_own_bundle(code: MakeCode) -> None:
    first, second = two_versions(code, {"op.py": "class Thing:\n    pass"})
    for module in (first, second):
        assert type(pickle.loads(pickle.dumps(module.Thing()))) is module.Thing
    assert first.Thing is not second.Thing


PROGRAM = """
import multiprocessing, pathlib, sys
from sliceworks.operations.isolation import bundle_code
if __name__ == "__main__":
    ops = [bundle_code(name, pathlib.Path(place)).load("op") for name, place in zip("ab", sys.argv[2:])]
    with multiprocessing.get_context(sys.argv[1]).Pool(1) as pool:
        print([pool.apply(op.work, (number,)) for number, op in enumerate(ops, start=1)])
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_that_python_starts_find_the_code(bundle: MakeBundle, tmp_path: Path, method: str) -> None:
    text = "def work(number):\n    import shared\n    return shared.NAME * number"
    places = [bundle({"op.py": text, "shared.py": f"NAME = {name!r}"}) for name in "xy"]
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, "program.py", method, *(str(place.directory) for place in places)]
    paths = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": paths}, capture_output=True, text=True, check=False
    )
    assert done.stdout == "['x', 'yy']\n", done.stderr


def test_metadata_of_wheels_are_seen_by_their_bundle_only(code: MakeCode) -> None:
    files = {
        ".wheels/dep/dep.py": "from importlib.metadata import version\n__version__ = version('dep')",
        ".wheels/dep/dep-1.2.dist-info/METADATA": "Metadata-Version: 2.1\nName: dep\nVersion: 1.2\n",
        "op.py": "import dep\nfound = dep.__version__",
    }
    assert code(files).load("op").found == "1.2"
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("dep")


def test_builtins_cost_nothing_and_are_those_of_python(code: MakeCode) -> None:
    module = code({"op.py": "found = (len, isinstance, print)"}).load("op")
    assert module.found == (len, isinstance, print)


def test_circular_imports_work_as_they_do_elsewhere(code: MakeCode) -> None:
    files = {"a.py": "import b\nNAME = 'a'\ndef other():\n    return b.NAME", "b.py": "import a\nNAME = 'b'"}
    assert code(files).load("a").other() == "b"


def test_data_files_are_found_beside_the_code(code: MakeCode) -> None:
    files = {
        "op/__init__.py": "",
        "op/words.txt": "hello",
        "op/main.py": """
            from importlib.resources import files
            from pathlib import Path
            import pkgutil
            found = [
                Path(__file__).with_name("words.txt").read_text(),
                files(__package__).joinpath("words.txt").read_text(),
                pkgutil.get_data(__package__, "words.txt").decode(),
            ]
            """,
    }
    assert code(files).load("op.main").found == ["hello"] * 3


def test_module_names_begin_with_the_bundle(code: MakeCode) -> None:
    made = code({"op.py": ""})
    assert made.load("op").__name__ == f"{PREFIX}{made.name}.op"
