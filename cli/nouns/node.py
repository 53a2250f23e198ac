"""`sliceworks node`: the hosts of a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from sliceworks.cli.nouns.many import Done, Printer, Work, for_each
from sliceworks.cli.nouns.options import api_options, dry_run_option, quiet_option
from sliceworks.cli.nouns.targets import targets_argument
from sliceworks.cli.output import Style, print_rows
from sliceworks.protocol.errors import InvalidError, NotFoundError

if TYPE_CHECKING:
    from sliceworks.cli.client import Client, Node

COLUMNS: Final = ("node_id", "hostname", "role", "state", "draining", "total", "available", "workers", "pid")


@click.group()
def node() -> None:
    """List, drain and resume the nodes of the cluster: its worker daemons.

    \b
    sliceworks node list
    sliceworks node drain HOST      # before maintenance
    sliceworks node resume HOST
    """


@node.command("list")
@click.option("--state", type=click.Choice(["connected", "disconnected"]), help="Only those in this state.")
@quiet_option
@api_options
def list_(*, state: str | None, quiet: bool, url: str, style: Style) -> None:
    """List every worker daemon, and the host of the master."""
    from sliceworks.cli.client.client import call

    nodes = call(url, lambda client: client.cluster.nodes())
    chosen = [node for node in nodes if state in (None, node.state)]
    if quiet:
        for each in chosen:
            click.echo(each.node_id)
        return
    rows = [_row(each) if style is Style.TABLE else each.document for each in chosen]
    print_rows(rows, COLUMNS, style)


def _row(node: Node) -> Mapping[str, Any]:
    workers = [process for process in node.active if process.assignment == "worker"]
    is_master = any(process.assignment == "cluster_master" for process in node.active)
    role = {"role": "master" if is_master else "worker", "workers": len(workers)}
    return {**node.document, **role, "draining": "yes" if node.draining else ""}


async def _show(client: Client, target: str) -> Done:
    return Done((await find_node(client, target)).document)


async def _drain(client: Client, target: str) -> Done:
    found = await find_node(client, target)
    answer = await client.cluster.drain(found.node_id)
    return Done({"node_id": found.node_id, **answer}, f"node {_name(found)}: gets no more work")


async def _resume(client: Client, target: str) -> Done:
    found = await find_node(client, target)
    answer = await client.cluster.resume(found.node_id)
    return Done({"node_id": found.node_id, **answer}, f"node {_name(found)}: gets work again")


async def _only_said(client: Client, target: str) -> Done:
    found = await find_node(client, target)
    workers = [process for process in found.active if process.assignment == "worker"]
    executions = sorted({str(process.ex_id) for process in workers if process.ex_id})
    document = {
        "node_id": found.node_id,
        "dry_run": True,
        "would": "nothing" if found.draining else "drain",
        "workers": len(workers),
        "executions": executions,
    }
    words = f"node {_name(found)}: would give up {len(workers)} workers of {len(executions)} executions"
    return Done(document, f"node {_name(found)}: drains already" if found.draining else words)


def _verb(name: str, work: Work, text: str) -> click.Command:
    @click.command(name, help=text)
    @targets_argument("node_id")
    @quiet_option
    @api_options
    def command(*, targets: Sequence[str], quiet: bool, url: str, style: Style) -> int:
        return for_each(targets, work, url=url, printer=Printer(style, "node_id", quiet))

    return command


@node.command()
@targets_argument("node_id")
@dry_run_option
@quiet_option
@api_options
def drain(*, targets: Sequence[str], dry_run: bool, quiet: bool, url: str, style: Style) -> int:
    """Give nodes no more work, by id or host name; what is in hand there is finished or handed back.

    Other nodes take over as they have room. A drained node stays so until `node resume`.
    """
    work = _only_said if dry_run else _drain
    return for_each(targets, work, url=url, printer=Printer(style, "node_id", quiet))


node.add_command(_verb("show", _show, "Print a node with its processes, by id or host name."))
node.add_command(_verb("resume", _resume, "Give drained nodes work again."))


async def find_node(client: Client, target: str) -> Node:
    """The worker daemon, or the master's host, of this id or host name.

    NotFoundError if there is none; InvalidError if several nodes have the name.
    """
    nodes = await client.cluster.nodes()
    exact = [node for node in nodes if node.node_id == target]
    found = exact or [node for node in nodes if node.hostname == target and node.total]
    if not found:
        message = f"Could not find node {target}; `sliceworks node list` prints those there are"
        raise NotFoundError(message)
    if len(found) > 1:
        ids = ", ".join(node.node_id for node in found)
        message = f"{len(found)} nodes have the host name {target}: name one by its id, of {ids}"
        raise InvalidError(message)
    return found[0]


def _name(node: Node) -> str:
    return node.node_id if node.node_id == node.hostname else f"{node.node_id} ({node.hostname})"
