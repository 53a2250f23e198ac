"""`sliceworks node`: the hosts of a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from sliceworks.cli.groups import NounGroup
from sliceworks.cli.nouns.many import Done, Printer, Work, for_each
from sliceworks.cli.nouns.node_drain import drain
from sliceworks.cli.nouns.nodes import find_node, name_of, workers_of
from sliceworks.cli.nouns.options import api_options, quiet_option
from sliceworks.cli.nouns.targets import targets_argument
from sliceworks.cli.output import Style, print_rows

if TYPE_CHECKING:
    from sliceworks.cli.client import Client, Node

COLUMNS: Final = ("node_id", "hostname", "role", "state", "draining", "total", "available", "workers", "pid")


@click.group(cls=NounGroup)
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
    is_master = any(process.assignment == "cluster_master" for process in node.active)
    role = {"role": "master" if is_master else "worker", "workers": len(workers_of(node))}
    return {**node.document, **role, "draining": "yes" if node.draining else ""}


async def _show(client: Client, target: str) -> Done:
    return Done((await find_node(client, target)).document)


async def _resume(client: Client, target: str) -> Done:
    found = await find_node(client, target)
    answer = await client.cluster.resume(found.node_id)
    return Done({"node_id": found.node_id, **answer}, f"node {name_of(found)}: gets work again")


def _verb(name: str, work: Work, text: str) -> click.Command:
    @click.command(name, help=text)
    @targets_argument("node_id")
    @quiet_option
    @api_options
    def command(*, targets: Sequence[str], quiet: bool, url: str, style: Style) -> int:
        return for_each(targets, work, url=url, printer=Printer(style, "node_id", quiet))

    return command


node.add_command(drain)
node.add_command(_verb("show", _show, "Print a node with its processes, by id or host name."))
node.add_command(_verb("resume", _resume, "Give drained nodes work again."))
