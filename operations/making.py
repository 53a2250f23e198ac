"""How the operations of an execution are made; none of them is initialized here."""

from __future__ import annotations

from typing import Any

import structlog

from sliceworks.operations.apis import Apis
from sliceworks.operations.base import OperationSetup, WorkerOperation
from sliceworks.operations.chain_parts import ChainParts
from sliceworks.operations.context import OperationContext
from sliceworks.operations.operation_api import Companion
from sliceworks.operations.reader import ParallelSlicer, Slicer
from sliceworks.operations.registry import (
    BUILT_IN,
    ENGINE_OPTIONS,
    ApiKind,
    Catalog,
    OperationKind,
    ReaderKind,
)
from sliceworks.protocol.documents import ExecutionSpec, OperationSpec
from sliceworks.protocol.errors import Fault, InvalidError


def make_slicer(execution: ExecutionSpec, catalog: Catalog = BUILT_IN) -> Slicer | ParallelSlicer:
    """The slicer of an execution."""
    spec = execution.operations[0]
    kind = catalog.resolve(spec.op)
    if not isinstance(kind, ReaderKind):
        raise _out_of_place(0, spec.op)
    return kind.slicer(_setup(execution, spec, kind))


def make_parts(
    execution: ExecutionSpec, context: OperationContext, catalog: Catalog = BUILT_IN
) -> ChainParts:
    """The fetcher, the processors, the APIs and observers of an execution, for one worker."""
    access = Apis()
    apis = [
        _make_api(execution, entry, context=context, access=access, catalog=catalog)
        for entry in execution.apis
    ]
    operations: list[WorkerOperation] = []
    for place, spec in enumerate(execution.operations):
        kind = catalog.resolve(spec.op)
        if isinstance(kind, ReaderKind) != (place == 0):
            raise _out_of_place(place, spec.op)
        make = kind.fetcher if isinstance(kind, ReaderKind) else kind.processor
        operations.append(make(_setup(execution, spec, kind, context=context, access=access)))
    return ChainParts(operations, apis, access)


def own_options(spec: OperationSpec) -> dict[str, object]:
    """What the operation itself is told: the fields of its entry that the engine does not use."""
    return {name: value for name, value in spec.options.items() if name not in ENGINE_OPTIONS}


def _make_api(
    execution: ExecutionSpec,
    entry: dict[str, Any],
    *,
    context: OperationContext,
    access: Apis,
    catalog: Catalog,
) -> Companion:
    own = {name: value for name, value in entry.items() if name != "_name"}
    spec = OperationSpec.model_validate({**own, "_op": entry["_name"]})
    kind = catalog.resolve_api(spec.op)
    return kind.api(_setup(execution, spec, kind, context=context, access=access))


def _setup(
    execution: ExecutionSpec,
    spec: OperationSpec,
    kind: OperationKind | ApiKind,
    *,
    context: OperationContext | None = None,
    access: Apis | None = None,
) -> OperationSetup:
    options = kind.options.model_validate(own_options(spec))
    logger = structlog.get_logger("operation").bind(ex_id=execution.ex_id, op=spec.op)
    return OperationSetup(spec, options, execution, logger, context, access or Apis())


def _out_of_place(place: int, name: str) -> InvalidError:
    wanted = "a reader" if place == 0 else "a processor"
    message = f"operation {name} cannot be in place {place} of a job: {wanted} is wanted there"
    return InvalidError(message, (Fault(f"operations.{place}._op", message),))
