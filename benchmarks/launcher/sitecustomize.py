"""Read by every Python process of a measured cluster: gives it the operations of `bench_operations`.

The product knows nothing of this: the folder is in PYTHONPATH while a benchmark runs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

REGISTRY = "sliceworks.operations.registry"


class AddOperations(MetaPathFinder):
    """Finds the registry as it is found anyway; once it is loaded the operations are added to it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != REGISTRY:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def load_and_add(module: ModuleType) -> None:
            load(module)
            # It imports what is being loaded, from this folder.
            kinds = import_module("bench_operations").KINDS

            module.OPERATIONS.update({kind.name: kind for kind in kinds})

        spec.loader.exec_module = load_and_add  # type: ignore[method-assign]
        return spec


sys.meta_path.insert(0, AddOperations())
