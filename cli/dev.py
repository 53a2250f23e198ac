"""`sliceworks dev`: a master and a worker daemon on this machine, in the foreground."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sliceworks.cli.local_cluster import ClusterPlan


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="N",
    default=5678,
    show_default=True,
    help="0: a free one.",
)
@click.option(
    "--workers", type=click.IntRange(1), metavar="N", help="Slots for workers.  [default: the number of CPUs]"
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where everything is kept.  [default: that of the settings]",
)
def dev(*, port: int, workers: int | None, data_dir: Path | None) -> int:
    """A whole cluster on this machine, until Ctrl-C.

    Prints one line `ready http://127.0.0.1:5678` when it accepts work.  A daemon that dies is started again.
    """
    import asyncio

    from sliceworks.cli.interrupts import InterruptedAtStartError
    from sliceworks.cli.local_cluster import ClusterPlan
    from sliceworks.cli.settings import read_settings

    settings = read_settings(workers=workers, data_dir=data_dir)
    plan = ClusterPlan(settings.data_dir, port, settings, logs=None)
    try:
        asyncio.run(_serve(plan))
    except InterruptedAtStartError:
        click.echo("interrupted before the cluster was ready", err=True)
    return 0


async def _serve(plan: ClusterPlan) -> None:
    from sliceworks.cli.interrupts import interrupts
    from sliceworks.cli.local_cluster import local_cluster
    from sliceworks.cli.output import say

    with interrupts() as wishes:
        async with local_cluster(plan, wishes, say) as api:
            click.echo(f"ready {api.url}")
            await wishes.stopping.wait()
            say("stopping: first the worker, when its slices in hand are done; Ctrl-C again hurries")
