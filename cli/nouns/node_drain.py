"""`node drain`, and waiting until nothing runs there any more."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Final

import click

from sliceworks.cli.nouns.many import Done, Printer, for_each
from sliceworks.cli.nouns.nodes import find_node, name_of, workers_of
from sliceworks.cli.nouns.options import api_options, dry_run_option, duration, quiet_option
from sliceworks.cli.nouns.targets import targets_argument
from sliceworks.cli.nouns.waiting import WAIT_TIMED_OUT
from sliceworks.cli.output import Style

if TYPE_CHECKING:
    from sliceworks.cli.client import Client

LOOK_SECONDS: Final = 0.5


@click.command()
@targets_argument("node_id")
@click.option("--wait", is_flag=True, help="Until no worker is left there.")
@duration("--timeout", 'Wait at most so long, such as "10m".  [default: for ever]')
@dry_run_option
@quiet_option
@api_options
def drain(
    *,
    targets: Sequence[str],
    wait: bool,
    timeout: int | None,
    dry_run: bool,
    quiet: bool,
    url: str,
    style: Style,
) -> int:
    """Give nodes no more work, by id or host name; what is in hand there is finished or handed back.

    Other nodes take over as they have room. A drained node stays so until `node resume`.

    \b
    sliceworks node drain HOST --wait --timeout 10m && ssh HOST systemctl restart sliceworks-worker
    """
    if timeout is not None and not wait:
        message = "--timeout says how long to --wait"
        raise click.UsageError(message)
    seconds = None if timeout is None else timeout / 1000

    async def work(client: Client, target: str) -> Done:
        if dry_run:
            return await _only_said(client, target)
        done = await _drain(client, target)
        return await _until_empty(client, done, seconds) if wait else done

    return for_each(targets, work, url=url, printer=Printer(style, "node_id", quiet))


async def _drain(client: Client, target: str) -> Done:
    found = await find_node(client, target)
    answer = await client.cluster.drain(found.node_id)
    return Done({"node_id": found.node_id, **answer}, f"node {name_of(found)}: gets no more work")


async def _until_empty(client: Client, done: Done, seconds: float | None) -> Done:
    import asyncio

    node_id = str(done.document["node_id"])
    left = len(workers_of(await find_node(client, node_id)))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            async for count in _workers_left(client, node_id):
                left = count
                await asyncio.sleep(LOOK_SECONDS)
            left = 0
    document = {**done.document, "workers": left}
    if left:
        return Done(document, f"node {node_id}: still has {left} workers", WAIT_TIMED_OUT)
    return Done(document, f"node {node_id}: is empty")


async def _workers_left(client: Client, node_id: str) -> AsyncIterator[int]:
    """How many there are now, as long as there are any."""
    while workers := workers_of(await find_node(client, node_id)):
        yield len(workers)


async def _only_said(client: Client, target: str) -> Done:
    found = await find_node(client, target)
    workers = workers_of(found)
    executions = sorted({str(process.ex_id) for process in workers if process.ex_id})
    document = {
        "node_id": found.node_id,
        "dry_run": True,
        "would": "nothing" if found.draining else "drain",
        "workers": len(workers),
        "executions": executions,
    }
    words = f"node {name_of(found)}: would give up {len(workers)} workers of {len(executions)} executions"
    return Done(document, f"node {name_of(found)}: drains already" if found.draining else words)
