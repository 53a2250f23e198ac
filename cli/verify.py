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
@click.option(
    "--state-url",
    metavar="URL",
    help="The master's, if its store is no file.  [default: that of the settings]",
)
@output_option
def verify(*, execution: str, data_dir: Path | None, state_url: str | None, style: Style) -> int:
    """Recompute the counters of the execution EX from its slices; exit code 1 if they differ.

    Reads the store of an execution, also while it runs; 4: there is none.
    """
    from sliceworks.cli.settings import read_settings
    from sliceworks.master.store.engine import StateStore
    from sliceworks.master.store.verify import verify_execution

    settings = read_settings(data_dir=data_dir, state_url=state_url)
    folder = _master_folder(settings.data_dir, execution)
    with StateStore(settings.state.url, folder, settings.state.durability).place(execution) as place:
        report = verify_execution(place)
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


def _master_folder(folder: Path, execution: str) -> Path:
    """The folder itself, or the one in it of the master that `dev` or `run` made."""
    made = folder / "master"
    return made if (made / "ex" / f"{execution}.db").exists() else folder
