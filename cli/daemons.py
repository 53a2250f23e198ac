"""`sliceworks master` and `sliceworks worker`: the two daemons."""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path
from typing import Any, Final

import click

from sliceworks.cli.settings import load, settings_options

_PR_SET_PDEATHSIG: Final = 1

_end_with = click.option("--end-with", type=int, hidden=True, help="End when the process with this pid does.")


@click.command()
@settings_options
@_end_with
def master(*, config: Path | None, end_with: int | None, **flags: Any) -> int:
    """The cluster master: the HTTP API, the state of the cluster, and the execution controllers."""
    if end_with:
        _end_with_parent(end_with)
    settings = load(config, flags).settings
    from sliceworks.master.daemon import run_master

    return run_master(settings)


@click.command()
@settings_options
@_end_with
def worker(*, config: Path | None, end_with: int | None, **flags: Any) -> int:
    """The worker daemon of this host: starts and watches the workers that the master gives it."""
    if end_with:
        _end_with_parent(end_with)
    settings = load(config, flags).settings
    from sliceworks.worker.daemon import run_worker

    return run_worker(settings)


def _end_with_parent(parent: int) -> None:
    """Get a SIGTERM when the parent dies, however it dies; now, if it is dead already."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(0)
