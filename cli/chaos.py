"""`sliceworks chaos`: a cluster of its own under load, killed at random from a seed, then verified."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from sliceworks.cli.output import Style, output_option, print_document, print_rows, say

if TYPE_CHECKING:
    from sliceworks.cli.chaos_run import ChaosRun, Orders
    from sliceworks.cli.local_cluster import ClusterPlan

FAILED: Final = 1
RESTART_SECONDS: Final = (1.0, 1.0)
FLAGS: Final = ("--node-state-interval", "1s", "--shutdown-timeout", "10s")


@click.command()
@click.option("--seed", type=int, default=1, show_default=True, help="Decides what is killed, and when.")
@click.option(
    "--kills", type=click.IntRange(1), metavar="N", default=40, show_default=True, help="At least so many."
)
@click.option(
    "--workers", type=click.IntRange(1), metavar="N", default=4, show_default=True, help="Slots for workers."
)
@click.option(
    "--at-most-once", is_flag=True, help='Jobs have "max_attempts": 1; no slice may be begun twice.'
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where everything is kept.  [default: a new folder, removed when all is well]",
)
@output_option
def chaos(
    *, seed: int, kills: int, workers: int, at_most_once: bool, data_dir: Path | None, style: Style
) -> int:
    """Kill the processes of a cluster under load, and check that nothing is lost.

    Starts a cluster of its own, runs slices of 10 ms on it, and kills its workers, worker daemon, controller,
    slicer and master with SIGKILL: two kinds at once, then their successors within a second of their start;
    now and then a process is stopped for a while.  At the end everything must be there exactly once.

    Exit code 0: all holds; 1: something does not, and everything is kept.
    """
    from sliceworks.cli.chaos_run import Orders
    from sliceworks.cli.local_cluster import ClusterPlan
    from sliceworks.cli.settings import read_settings

    settings = read_settings(workers=workers, data_dir=data_dir)
    folder = settings.data_dir if data_dir else _new_folder(settings.data_dir)
    plan = ClusterPlan(
        folder,
        port=0,
        settings=settings,
        logs=folder / "logs",
        flags=FLAGS,
        restart_seconds=RESTART_SECONDS,
    )
    return _run(plan, Orders(seed, kills, at_most_once), keep=data_dir is not None, style=style)


def _run(plan: ClusterPlan, orders: Orders, *, keep: bool, style: Style) -> int:
    import asyncio

    from sliceworks.cli.interrupts import InterruptedAtStartError

    try:
        run = asyncio.run(_play(plan, orders))
    except InterruptedAtStartError:
        raise click.Abort from None
    except Exception:
        say(f"the state and the logs are kept in {plan.data_dir}")
        raise
    gaps = list(run.ledger.gaps(orders.kills).values())
    _report(run, orders, gaps, style=style)
    is_well = run.findings.ok and not gaps
    if is_well and not keep:
        shutil.rmtree(plan.data_dir)
    if not is_well:
        say(f"the state and the logs are kept in {plan.data_dir}")
    return 0 if is_well else FAILED


async def _play(plan: ClusterPlan, orders: Orders) -> ChaosRun:
    from sliceworks.cli.chaos_run import ChaosRun
    from sliceworks.cli.interrupts import interrupts
    from sliceworks.cli.local_cluster import local_cluster

    with interrupts() as wishes:
        async with local_cluster(plan, wishes, _say_nothing) as api:
            run = ChaosRun(api, plan, orders, check=wishes.check, say=say)
            await run.run()
            return run


def _report(run: ChaosRun, orders: Orders, gaps: list[str], *, style: Style) -> None:
    from sliceworks.cli.chaos_ledger import COLUMNS

    findings, rows = run.findings, run.ledger.rows()
    totals: dict[str, Any] = {
        "seed": orders.seed,
        "kills": run.ledger.total,
        "executions": findings.executions,
        "slices": findings.slices,
        "extra_attempts": findings.extra_attempts,
        "lost": findings.lost,
        "accounted_twice": findings.accounted_twice,
        **({"ended_as_lost": findings.ended_as_lost} if orders.at_most_once else {}),
        **({"begun_twice": findings.begun_twice} if orders.at_most_once else {}),
        "faults": [*findings.faults, *gaps],
        "ok": findings.ok and not gaps,
    }
    if style is not Style.TABLE:
        print_document({**totals, "by_kind": rows}, style)
        return
    print_rows(rows, COLUMNS, style)
    click.echo()
    print_document(totals, style)


def _say_nothing(_text: str) -> None:
    """Restarts are what this command is about."""


def _new_folder(state: Path) -> Path:
    """Below the state folder, named by the time."""
    now = datetime.now().astimezone()
    return state / "chaos" / f"{now:%Y%m%d-%H%M%S-%f}"
