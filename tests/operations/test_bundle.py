"""Bundles: what is found in them, what is wrong with them, and the catalog that jobs are checked against."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from sliceworks.operations.bundle import (
    AssetPlace,
    BundleDescription,
    BundleError,
    catalog_of,
    inspect_bundle,
    place_at,
)
from sliceworks.operations.errors import AmbiguousOperationError, UnknownOperationError
from sliceworks.operations.registry import BUILT_IN, ApiKind, ProcessorKind, ReaderKind

if TYPE_CHECKING:
    from tests.operations.conftest import MakeBundle

PROCESSOR = """
from sliceworks.operations import MapProcessor
class Shout(MapProcessor):
    "Makes it loud."
    def map(self, record):
        return record
"""
SLICER = """
from sliceworks.operations import Slicer
class Days(Slicer):
    "One slice a day."
    def slice(self):
        return None
"""
FETCHER = """
from sliceworks.operations import Fetcher
class Hours(Fetcher):
    def fetch(self, request):
        return []
"""
API = """
from sliceworks.operations import OperationAPI
class Rates(OperationAPI):
    "Knows what money is worth."
"""
SCHEMA = """
from sliceworks.operations import StrictOptions
class Schema(StrictOptions):
    volume: int = 3
"""


def inspect(place: AssetPlace) -> BundleDescription:
    return inspect_bundle(place.directory, asset_id=place.asset_id, name=place.name, version=place.version)


def names(place: AssetPlace) -> list[tuple[str, str]]:
    return [(operation.name, operation.kind) for operation in inspect(place).operations]


def fault_of(place: AssetPlace) -> str:
    with pytest.raises(BundleError) as caught:
        inspect(place)
    return str(caught.value)


def test_folders_and_modules_are_operations(bundle: MakeBundle) -> None:
    place = bundle(
        {
            "days/slicer.py": SLICER,
            "days/fetcher.py": FETCHER,
            "loud/processor.py": PROCESSOR,
            "loud/schema.py": SCHEMA,
            "money/api.py": API,
            "watch/api.py": "from sliceworks.operations import Observer\nclass Watch(Observer):\n    pass",
            "single.py": PROCESSOR,
            "both.py": SLICER + FETCHER,
        }
    )
    assert names(place) == [
        ("both", "reader"),
        ("days", "reader"),
        ("loud", "processor"),
        ("money", "api"),
        ("single", "processor"),
        ("watch", "observer"),
    ]


def test_helpers_tests_and_scripts_are_none(bundle: MakeBundle) -> None:
    boom = "raise RuntimeError('imported')"
    place = bundle(
        {
            "helpers/__init__.py": boom,
            "helpers/text.py": boom,
            "text.py": boom,
            "types.py": "class Money(dict):\n    pass",
            "setup.py": f"{boom}\nclass A(B): pass",
            "conftest.py": f"{boom}\nclass A(B): pass",
            "test_it.py": f"{boom}\nclass A(B): pass",
            "tests/processor.py": boom,
            "_private/processor.py": boom,
            ".wheels/dep/processor.py": boom,
            "data/schema.py": boom,
        }
    )
    assert names(place) == []


def test_a_description_has_options_and_doc(bundle: MakeBundle) -> None:
    [operation] = inspect(bundle({"loud/processor.py": PROCESSOR, "loud/schema.py": SCHEMA})).operations
    assert operation.options["properties"]["volume"]["default"] == 3
    assert operation.doc == "Makes it loud."


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a/processor.py": "x = 1"}, "a/processor.py has no class that is a BatchProcessor"),
        ({"a/slicer.py": SLICER}, "a/ has slicer.py but no fetcher.py: a reader has both"),
        ({"a/fetcher.py": FETCHER}, "a/ has fetcher.py but no slicer.py"),
        ({"a/slicer.py": SLICER, "a/fetcher.py": FETCHER, "a/processor.py": PROCESSOR}, "not both"),
        ({"a/processor.py": FETCHER}, "a/processor.py class Hours is not a BatchProcessor"),
        (
            {"a/processor.py": PROCESSOR + PROCESSOR.replace("Shout", "Other")},
            "a/processor.py has class Shout and class Other: one class",
        ),
        ({"a/processor.py": PROCESSOR, "a.py": PROCESSOR}, "a.py and a/ would be the same operation"),
        ({"a.py": SLICER}, "a.py has class Days but no class that is a Fetcher"),
        ({"a.py": SLICER + FETCHER + PROCESSOR}, "a.py is a reader and a processor"),
        ({"a.py": PROCESSOR + PROCESSOR.replace("Shout", "Other")}, "a.py has class Shout and class Other"),
        (
            {"a/processor.py": PROCESSOR, "a/schema.py": "x = 1"},
            "a/schema.py has no class that is an OperationOptions",
        ),
        ({"a/processor.py": "import nowhere"}, "a/processor.py: cannot be imported"),
        ({"a/processor.py": "import nowhere"}, "ModuleNotFoundError: No module named 'nowhere'"),
        ({"a/processor.py": "\nimport a.nowhere"}, 'File "a/processor.py", line 2'),
        ({"a/processor.py": "import a.nowhere"}, "ModuleNotFoundError: No module named 'a.nowhere'"),
        ({"a/processor.py": "def f(:"}, "SyntaxError"),
        ({"a.py": "def f(:"}, "a.py: cannot be imported"),
        ({"a/processor.py": "import sys\nsys.exit(3)"}, "SystemExit: 3"),
        ({"a/processor.py": "from a.help import x", "a/help.py": "1 / 0"}, 'File "a/help.py", line 1'),
    ],
)
def test_what_is_wrong_is_said_with_its_file(bundle: MakeBundle, files: dict[str, str], said: str) -> None:
    text = fault_of(bundle(files))
    assert text.startswith("asset tools:1.0.0: ")
    assert said in text


def test_a_traceback_shows_the_code_of_the_bundle_only(bundle: MakeBundle) -> None:
    text = fault_of(bundle({"a/processor.py": "from a.help import x", "a/help.py": "1 / 0"}))
    assert "importlib" not in text
    assert "isolation" not in text
    assert str(sys.prefix) not in text


def test_options_of_a_reader_are_one_class(bundle: MakeBundle) -> None:
    own = SLICER.replace(
        "def slice", "from sliceworks.operations import StrictOptions as Options\n    def slice"
    )
    other = FETCHER.replace("def fetch", "class Options(StrictOptions):\n        pass\n    def fetch")
    other = "from sliceworks.operations import StrictOptions" + other
    assert "declare different Options" in fault_of(bundle({"a/slicer.py": own, "a/fetcher.py": other}))
    place = bundle({"a/slicer.py": own, "a/fetcher.py": FETCHER})
    reader = catalog_of([place]).resolve("a")
    assert isinstance(reader, ReaderKind)
    assert reader.slicer.Options is reader.fetcher.Options is reader.options


def test_options_of_its_own_beside_a_schema_are_refused(bundle: MakeBundle) -> None:
    own = PROCESSOR.replace(
        "def map", "from sliceworks.operations import StrictOptions as Options\n    def map"
    )
    place = bundle({"a/processor.py": own, "a/schema.py": SCHEMA})
    assert "class Shout has Options of its own, and there is a schema.py: keep one" in fault_of(place)


def test_a_class_may_come_from_a_helper(bundle: MakeBundle) -> None:
    shared = PROCESSOR.replace("class Shout", "class Base")
    place = bundle(
        {
            "shared.py": "",
            "shared_base/__init__.py": shared,
            "a/processor.py": "from shared_base import Base\nclass Mine(Base):\n    pass",
            "b/processor.py": "from shared_base import Base",
            "a/schema.py": SCHEMA,
            "b/schema.py": SCHEMA.replace("volume", "pitch"),
        }
    )
    found = {operation.name: list(operation.options["properties"]) for operation in inspect(place).operations}
    assert found == {"a": ["volume"], "b": ["pitch"]}


def test_a_bundle_for_another_python_is_refused(bundle: MakeBundle) -> None:
    assert "it is for Python >=9" in fault_of(bundle({}, python_version=">=9"))
    assert "is no version" in fault_of(bundle({}, python_version="new"))
    assert names(bundle({"a.py": PROCESSOR}, python_version="3.11")) == [("a", "processor")]


def test_a_bundle_that_is_not_there_is_said(bundle: MakeBundle) -> None:
    place = bundle({})
    gone = place_at(place.directory.with_name("f" * 40))
    with pytest.raises(BundleError, match=f"asset {'f' * 40}: its folder .* is not there"):
        catalog_of([gone])
    assert place_at(place.directory) == place


def test_a_catalog_knows_names_and_pins(bundle: MakeBundle) -> None:
    place = bundle({"loud/processor.py": PROCESSOR, "money/api.py": API})
    catalog = catalog_of([place])
    assert isinstance(catalog.resolve("loud"), ProcessorKind)
    assert catalog.resolve(f"loud@{place.asset_id}") == catalog.resolve("loud")
    assert isinstance(catalog.resolve_api(f"money@{place.asset_id}:tag"), ApiKind)
    assert catalog.resolve_api("money:tag") == catalog.resolve_api("money")
    assert catalog.resolve("noop") is BUILT_IN.resolve("noop")
    with pytest.raises(UnknownOperationError, match=r"operation: loudd; did you mean loud\?"):
        catalog.resolve("loudd")
    with pytest.raises(UnknownOperationError, match=f"operation: loudd@{place.asset_id}; did you mean loud?"):
        catalog.resolve(f"loudd@{place.asset_id}")
    with pytest.raises(UnknownOperationError, match="the hashID for asset identifier tools:2"):
        catalog.resolve("loud@tools:2")
    with pytest.raises(UnknownOperationError):
        catalog.resolve("money")


def test_an_asset_hides_what_is_built_in(bundle: MakeBundle) -> None:
    assert catalog_of([bundle({"noop.py": PROCESSOR})]).resolve("noop") is not BUILT_IN.resolve("noop")


def test_a_helper_with_a_name_of_ours_hides_nothing(bundle: MakeBundle) -> None:
    assert catalog_of([bundle({"noop.py": "class A(dict): pass"})]).resolve("noop") is BUILT_IN.resolve(
        "noop"
    )


def test_a_name_in_two_assets_needs_a_pin(bundle: MakeBundle) -> None:
    first, second = bundle({"loud/processor.py": PROCESSOR}), bundle({"loud/processor.py": PROCESSOR})
    catalog = catalog_of([first, second])
    with pytest.raises(AmbiguousOperationError, match='the same processor name _op: "loud", please specify'):
        catalog.resolve("loud")
    kinds = [catalog.resolve(f"loud@{place.asset_id}") for place in (first, second)]
    assert kinds[0] != kinds[1]


def test_only_what_is_asked_for_is_imported(bundle: MakeBundle) -> None:
    catalog = catalog_of([bundle({"bad/processor.py": "1 / 0", "good/processor.py": PROCESSOR})])
    assert catalog.resolve("good")
    with pytest.raises(BundleError, match="ZeroDivisionError"):
        catalog.resolve("bad")


def test_authors_may_break_what_they_like_without_breaking_the_inspection(bundle: MakeBundle) -> None:
    texts: dict[str, Any] = {
        "a/processor.py": PROCESSOR,
        "a/schema.py": """
            from typing import Any, Callable
            from sliceworks.operations import OperationOptions
            class Schema(OperationOptions):
                call: Callable[[], Any]
            """,
    }
    assert "the options of a cannot be described" in fault_of(bundle(texts))


def test_names_may_have_dashes(bundle: MakeBundle) -> None:
    place = bundle({"my-op/processor.py": PROCESSOR, "other-op.py": PROCESSOR})
    assert names(place) == [("my-op", "processor"), ("other-op", "processor")]


def test_a_version_is_read_as_the_master_reads_it(bundle: MakeBundle) -> None:
    assert place_at(bundle({}, version="v1.2.3").directory).version == "1.2.3"
