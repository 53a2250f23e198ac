"""Imports for the code of assets: each asset sees its own modules and wheels, and nobody else sees them.

A bundle's module `shared.text` lives in this process as `sliceworks.operations.loaded.a<id>.shared.text`, so
that two assets, or two versions of one, never meet in `sys.modules`, and nothing of them gets on `sys.path`.
What makes this bearable for authors is that their code need not know: every module of a bundle has builtins
of its own, whose `__import__` looks among the bundle's modules first.  An import statement asks the builtins
of the code that it stands in, at import time and in a function years later, so that is all it takes.

| a bundle's code imports              | it gets                                                        |
| ------------------------------------ | -------------------------------------------------------------- |
| a module of the standard library     | that one, whatever the bundle holds                            |
| `sliceworks`, `pydantic` (`SHARED`)  | ours: classes of both sides must be the same                   |
| what the bundle or its wheels hold   | the bundle's, also when another version of it is installed     |
| compiled packages of its wheels, and | what is installed; or the bundle's, under its own name, once   |
| what these require                   | in a process (`compiled_wheels.py`); no other bundle gets it   |
| anything else                        | what is installed                                              |

Only for processes that run authors' code: the first bundle of a process changes `sys.meta_path` and
`importlib.import_module`.
"""

from __future__ import annotations

import builtins
import functools
import importlib
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import Distribution, DistributionFinder, MetadataPathFinder
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from sliceworks.operations.compiled_wheels import OwnName, own_names, wheel_roots

PREFIX: Final = "sliceworks.operations.loaded."
SHARED: Final = frozenset({"sliceworks", "pydantic", "pydantic_core", "annotated_types"})
WHEELS: Final = ".wheels"
"""The folder of a bundle in which each of its wheels is unpacked."""
ENVIRONMENT: Final = "SLICEWORKS_LOADED_ASSETS"
"""For processes that are started anew: name=folder of each bundle, parted by line feeds."""
_IMPORT_ARGUMENTS: Final = ("globals", "locals", "fromlist", "level")
_MARK: Final = "__sliceworks_bundle__"

_bundles: dict[str, BundleCode] = {}
_own_names: dict[str, tuple[OwnName, BundleCode]] = {}
"""Modules of bundles that are found under their own names, and the bundle that came first with them."""
_import_module: Final = importlib.import_module
_python_import: Final = builtins.__import__


class BundleCode:
    """The code of one bundle in this process; made by `bundle_code`."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.directory = directory
        self.package = f"{PREFIX}{name}"
        self.roots = [str(directory), *_wheel_roots(directory)]
        self._named_alike = own_names(directory / WHEELS)
        self.own_names = {name: own for name, own in self._named_alike.items() if not _is_installed(name)}
        self.builtins = {**vars(builtins), "__import__": self._import, _MARK: self}
        self._own: dict[str, bool] = {}
        self._foreign: set[str] = set()
        """Names, not relative ones, that mean the same to this bundle as to everybody."""
        self._loaded: dict[str, ModuleType] = {}
        """Names that were imported without `from`, and what an import of them gives: the top module."""

    def load(self, name: str) -> ModuleType:
        """A module of the bundle, by the name that its own code knows it by; raises what its code raises."""
        try:
            return _import_module(f"{self.package}.{name}")
        except ModuleNotFoundError as error:
            self._name_as_author_does(error)
            raise

    def holds(self, name: str) -> bool:
        """Whether this top-level name means a module of the bundle to its code."""
        own = self._own.get(name)
        if own is None:
            own = self._own[name] = self._find(name)
        return own

    def _import(self, name: str, *positional: Any, **named: Any) -> ModuleType:
        """What import statements of the bundle call, as they call `__import__`."""
        if name in self._foreign:
            return _python_import(name, *positional, **named)
        if len(positional) == len(_IMPORT_ARGUMENTS):  # always so for a statement
            _, _, fromlist, level = positional
        else:
            given = {**dict(zip(_IMPORT_ARGUMENTS, positional, strict=False)), **named}
            fromlist, level = given.get("fromlist"), given.get("level")
        if not level and name in self._loaded and not fromlist:
            return self._loaded[name]
        if level or not self._is_own(name):
            return _python_import(name, *positional, **named)
        return self._import_own(name, fromlist)

    def _is_own(self, name: str) -> bool:
        top = name.partition(".")[0]
        if self.holds(top):
            return True
        if top in _own_names:
            self._check_own_name(top)
        else:
            self._foreign.add(name)
        return False

    def _import_own(self, name: str, fromlist: Sequence[str] | None) -> ModuleType:
        try:
            found = _python_import(f"{self.package}.{name}", None, None, fromlist or ())
        except ModuleNotFoundError as error:
            self._name_as_author_does(error)
            raise
        if fromlist:
            return found
        top = self._loaded[name] = sys.modules[f"{self.package}.{name.partition('.')[0]}"]
        return top

    def _find(self, name: str) -> bool:
        if name in sys.stdlib_module_names or name in SHARED or name.startswith("__"):
            return False
        if name in self._named_alike:
            return False
        spec = PathFinder.find_spec(f"{self.package}.{name}", self.roots)
        if spec is None:
            return False
        is_mere_folder = spec.origin is None
        return not (is_mere_folder and _is_installed(name))

    def _check_own_name(self, name: str) -> None:
        """Raise ImportError if a module that lives under its own name is not this bundle's."""
        there, owner = _own_names[name]
        own = self.own_names.get(name)
        if own is None:
            message = f"No module named {name!r}"
            raise ModuleNotFoundError(message, name=name)
        if own.content != there.content:
            message = (
                f"{own.package} is compiled, or required by what is, so a process can have one version only, "
                f"and {owner.directory.name} has brought another: use the same wheel in both assets"
            )
            raise ImportError(message, name=name)

    def _name_as_author_does(self, error: ModuleNotFoundError) -> None:
        inside = f"{self.package}."
        error.msg = error.msg.replace(inside, "")
        error.args = (error.msg,)
        error.name = (error.name or "").removeprefix(inside)


def bundle_code(name: str, directory: Path) -> BundleCode:
    """The code of the bundle in this folder; the same object each time for the same `name`.

    `name` is an identifier such as `a` and the asset's id.  Whoever loads code from another folder needs
    another name.
    """
    known = _bundles.get(name)
    if known is not None and known.directory == directory:
        return known
    if not _bundles:
        sys.meta_path.insert(0, _Finder)
        importlib.import_module = _import_module_for_all
    code = _bundles[name] = BundleCode(name, directory)
    for module, own in code.own_names.items():
        _own_names.setdefault(module, (own, code))
    _forget_modules(code.package)
    package = ModuleType(code.package)
    package.__path__ = code.roots
    package.__spec__ = ModuleSpec(code.package, None, is_package=True)
    sys.modules[code.package] = package
    os.environ[ENVIRONMENT] = "\n".join(f"{name}={bundle.directory}" for name, bundle in _bundles.items())
    return code


def load_again() -> None:
    """Know the bundles of the process that started this one."""
    for line in os.environ.get(ENVIRONMENT, "").splitlines():
        name, _, directory = line.partition("=")
        if name not in _bundles and directory:
            bundle_code(name, Path(directory))


class _Finder:
    """Finds modules below `PREFIX`, and the metadata of wheels for the code of their bundle."""

    @staticmethod
    def find_spec(
        full: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        top = full.partition(".")[0]
        if top in _own_names:
            own, owner = _own_names[top]
            return _wrapped(PathFinder.find_spec(full, path or [own.root], target), owner)
        if not full.startswith(PREFIX):
            return None
        code = _bundles.get(full[len(PREFIX) :].partition(".")[0])
        spec = PathFinder.find_spec(full, path, target) if code else None
        return _wrapped(spec, code) if code else None

    @staticmethod
    def find_distributions(context: DistributionFinder.Context | None = None) -> Iterable[Distribution]:
        code = _asking_bundle()
        if code is None:
            return []
        wanted = context.name if context else None
        name = wanted.removeprefix(f"{code.package}.") if wanted else None
        return MetadataPathFinder.find_distributions(DistributionFinder.Context(name=name, path=code.roots))


def _wrapped(spec: ModuleSpec | None, code: BundleCode) -> ModuleSpec | None:
    if spec is not None and spec.loader is not None and spec.origin is not None:
        spec.loader = _Loader(spec.loader, code)
    return spec


class _Loader(Loader):
    """Loads as Python's own loader of the file does, but gives the module the builtins of its bundle."""

    def __init__(self, loader: Any, code: BundleCode) -> None:
        self._loader = loader
        self._code = code

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__builtins__"] = self._code.builtins
        self._loader.exec_module(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


@functools.wraps(_import_module)
def _import_module_for_all(name: str, package: str | None = None) -> ModuleType:
    code = _bundle_of(sys._getframe(1).f_globals)
    if code is not None and not name.startswith(".") and code.holds(name.partition(".")[0]):
        return code.load(name)
    return _import_module(name, package)


def _asking_bundle() -> BundleCode | None:
    """The bundle whose code asks `importlib.metadata` for something."""
    frame = sys._getframe(1)
    while frame.f_back is not None:
        frame = frame.f_back
        asking = str(frame.f_globals.get("__name__"))
        if asking != __name__ and not asking.startswith("importlib"):
            return _bundle_of(frame.f_globals)
    return None


def _bundle_of(names: Mapping[str, Any]) -> BundleCode | None:
    own = names.get("__builtins__")
    code = own.get(_MARK) if isinstance(own, dict) else None
    return code if isinstance(code, BundleCode) else None


def _forget_modules(package: str) -> None:
    for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        del sys.modules[name]


def _wheel_roots(directory: Path) -> list[str]:
    """Where the modules of unpacked wheels are; of some a part is in a folder for the platform."""
    folder = directory / WHEELS
    if not folder.is_dir():
        return []
    return [str(root) for wheel in sorted(folder.iterdir()) for root in wheel_roots(wheel)]


def _is_installed(name: str) -> bool:
    if name in _own_names:
        return False
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None
