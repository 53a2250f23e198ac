"""The options of one entry of `operations` or `apis`, checked against the schema of what it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from sliceworks.operations.fault_texts import option_fault, option_faults
from sliceworks.operations.options import OperationOptions
from sliceworks.protocol.errors import Fault


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose options they are."""

    label: str
    """As faults name it: `operation filter`, `API counter:a`."""
    path: str
    """Where it is in the job: `operations.1`."""
    schema: type[OperationOptions]


def filled_options(
    owner: Owner, given: Mapping[str, Any], *, job: Mapping[str, Any], faults: list[Fault]
) -> dict[str, Any]:
    """The options with their defaults; with faults in some, the others are still checked."""
    wrong: dict[str, Fault] = {}
    try:
        options = owner.schema.model_validate(given)
    except ValidationError as error:
        wrong = option_faults(error, label=owner.label, path=owner.path, schema=owner.schema)
        faults += wrong.values()
        try:
            options = owner.schema.model_validate({n: value for n, value in given.items() if n not in wrong})
        except ValidationError:
            return {}
    try:
        found = list(options.check(job))
    except Exception as error:  # noqa: BLE001 - the author's check: its failure is a fault of the job
        found = [Fault("", f"could not be checked: {type(error).__name__}: {error}")]
    faults += (
        option_fault(label=owner.label, path=owner.path, option=fault.path, reason=fault.message)
        for fault in found
        if fault.path.partition(".")[0] not in wrong
    )
    return options.model_dump(mode="json")
