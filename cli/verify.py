"""`sliceworks verify`: recompute an execution's counters from its slices."""

from __future__ import annotations

from pathlib import Path

import click

from sliceworks.cli.output import Style, output_option, print_document


@click.command()
@click.argument("execution", metavar="EX")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="The master's, or the one given to `dev` or `run`.  [default: that of the settings]",
)
@output_option
def verify(*, execution: str, data_dir: Path | None, style: Style) -> int:
    """Recompute the counters of the execution EX from its slices; exit code 1 if they differ.

    Reads the store of an execution, also while it runs; 4: there is none.
    """
    from sliceworks.cli.settings import read_settings
    from sliceworks.master.store.verify import verify_execution

    folder = Path(read_settings(data_dir=data_dir).data_dir)
    report = verify_execution(_store(folder, execution))
    counts = report.counts
    document = {
        "ex_id": execution,
        "ok": report.ok,
        "outcome": report.outcome,
        "pending": counts.pending,
        "start": counts.start,
        "completed": counts.completed,
        "error": counts.error,
        "differences": list(report.differences),
    }
    print_document(document, style)
    return 0 if report.ok else 1


def _store(folder: Path, execution: str) -> Path:
    """In the folder of a master, or of a cluster that `dev` or `run` made."""
    names = (Path("ex") / f"{execution}.db", Path("master") / "ex" / f"{execution}.db")
    return next((folder / name for name in names if (folder / name).exists()), folder / names[0])
