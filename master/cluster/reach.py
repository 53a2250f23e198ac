"""Nodes that reach the master but not the controller of an execution: its share there is placed elsewhere.

A node says of each execution whether its link to the controller is up.  One that is down for
`node_disconnect_timeout`, while the controller talks to the master, makes the node one that the execution
shuns: it gets no worker there until the node says otherwise.  Where no other node could take a worker,
nothing is taken away: the link may come back.
"""

from __future__ import annotations

from sliceworks.master.cluster.core import Core
from sliceworks.master.cluster.model import Attached, Connected, Execution, Node
from sliceworks.protocol.messages import NodeState


def note_links(core: Core, node: Node, state: NodeState) -> None:
    """Remember since when each link of the node is down; one that is not any more is forgiven."""
    node_id = node.record.node_id
    down = {link.ex_id for link in state.links if not link.connected}
    for ex_id in node.links_down - down:
        execution = core.executions.get(ex_id)
        if execution and execution.unreached.pop(node_id, None) is not None:
            core.rebalance = True
    for ex_id in down & core.executions.keys():
        core.executions[ex_id].unreached.setdefault(node_id, core.now.monotonic_ms)
    node.links_down = down


def next_verdict_ms(core: Core, node: Node) -> int | None:
    """Shun the node where it is time to; when to look again."""
    node_id, now_ms = node.record.node_id, core.now.monotonic_ms
    dues = []
    for ex_id in node.links_down & core.executions.keys():
        execution = core.executions[ex_id]
        if not isinstance(execution.controller, Attached):
            execution.unreached[node_id] = now_ms  # nobody reaches a controller that is not there
        due_ms = execution.unreached.setdefault(node_id, now_ms) + core.limits.disconnect_ms
        if due_ms > now_ms:
            dues.append(due_ms)
        elif node_id not in execution.shunned:
            core.note("controller_out_of_reach", ex_id=ex_id, node_id=node_id)
            execution.shunned.add(node_id)
            core.rebalance = True
    return min(dues, default=None)


def shunned_by(core: Core, execution: Execution) -> set[str]:
    """Nodes that shall have no worker of the execution; none while no other node could have them."""
    execution.shunned &= execution.unreached.keys()
    if not execution.shunned:
        return set()
    others = (
        node for name, node in core.nodes.items() if name not in execution.shunned | execution.barred.keys()
    )
    return set(execution.shunned) if any(_is_there(node) for node in others) else set()


def _is_there(node: Node) -> bool:
    return isinstance(node.link, Connected) and node.record.slots > 0 and not node.is_draining
