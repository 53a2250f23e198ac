"""`sliceworks run`: one job to its end, on a cluster that exists for it alone."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from sliceworks.cli.output import Style, output_option, say

if TYPE_CHECKING:
    from sliceworks.cli.local_cluster import ClusterPlan


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option(
    "--workers", type=click.IntRange(1), metavar="N", help="Slots for workers.  [default: the job's workers]"
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where everything is kept.  [default: a new folder, removed when the job has completed]",
)
@output_option
def run(*, file: BinaryIO, workers: int | None, data_dir: Path | None, style: Style) -> int:
    """Run the job in FILE ("-": stdin) to its end, with a progress bar, and print a summary.

    Exit code 0: completed; 10: failed; 12: stopped or terminated; 2: the job is refused, nothing was started.
    """
    from sliceworks.cli.job_file import parse_job
    from sliceworks.cli.local_cluster import ClusterPlan
    from sliceworks.cli.settings import read_settings
    from sliceworks.operations.validation import validate_job

    text = file.read()
    job = validate_job(parse_job(text, file.name))
    settings = read_settings(workers=workers or job["workers"], data_dir=data_dir)
    folder = settings.data_dir if data_dir else _new_folder(settings.data_dir)
    plan = ClusterPlan(folder, port=0, settings=settings, logs=folder / "logs")
    return _run(text, plan, keep=data_dir is not None, style=style)


def _run(job: bytes, plan: ClusterPlan, *, keep: bool, style: Style) -> int:
    import asyncio

    from sliceworks.cli.interrupts import InterruptedAtStartError
    from sliceworks.cli.job_run import run_job
    from sliceworks.cli.nouns.waiting import RUN_EXIT_CODES
    from sliceworks.cli.summary import print_summary

    try:
        result = asyncio.run(run_job(job, plan))
    except InterruptedAtStartError:
        raise click.Abort from None
    except Exception:
        say(f"the state and the logs are kept in {plan.data_dir}")
        raise
    print_summary(result, style)
    code = RUN_EXIT_CODES[result.status]
    if code == 0 and not keep:
        shutil.rmtree(plan.data_dir)
    if code != 0:
        say(f"the state and the logs are kept in {plan.data_dir}")
    return code


def _new_folder(state: Path) -> Path:
    """Below the state folder, named by the time."""
    now = datetime.now().astimezone()
    return state / "runs" / f"{now:%Y%m%d-%H%M%S-%f}"
