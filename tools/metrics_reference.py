"""Writes the tables of `docs/monitoring.md` from the families in the code; the words round them stay."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from sliceworks.master.metrics.families import CONTROLLER_FAMILIES, MASTER_FAMILIES
from sliceworks.protocol.families import Family
from sliceworks.worker.figures import WORKER_FAMILIES
from tools.generated import main_of, with_table

PAGE: Final = "docs/monitoring.md"
TABLES: Final[dict[str, Sequence[Family]]] = {
    "master": MASTER_FAMILIES,
    "controller": CONTROLLER_FAMILIES,
    "worker": WORKER_FAMILIES,
}


def page(now: str) -> str:
    """The page with its tables as they should be."""
    for name, families in TABLES.items():
        now = with_table(now, name, _table(families))
    return now


def _table(families: Iterable[Family]) -> Iterable[str]:
    yield "| name | type | labels | what |"
    yield "| --- | --- | --- | --- |"
    for family in families:
        labels = ", ".join(f"`{label}`" for label in family.labels)
        yield f"| `{family.shown}` | {family.kind} | {labels} | {family.about} |"


if __name__ == "__main__":
    sys.exit(main_of(PAGE, page(Path(PAGE).read_text(encoding="utf-8"))))
