"""Two hosts on this machine: network namespaces joined by a veth pair, and the ways to break what joins them.

Needs root, iproute2 and nftables.  Everything has a name of its own and is gone when the context ends.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

A, B = "10.78.0.1", "10.78.0.2"
TOOLS = {"ip": "iproute2", "nft": "nftables"}


@dataclass(frozen=True)
class Hosts:
    """The names of the two namespaces; addresses are A and B."""

    a: str
    b: str

    def command(self, host: str) -> list[str]:
        """What to put before a command to run it on a host."""
        return ["ip", "netns", "exec", host]

    # --- breaking the link, and healing it

    def down(self) -> None:
        """Pull the plug on b's side."""
        run("ip", "-n", self.b, "link", "set", "vb", "down")

    def drop(self) -> None:
        """Every packet between them vanishes."""
        self.deaf()
        self.mute()

    def reject(self) -> None:
        """Connections are reset on both sides, and new ones of b are refused."""
        self._rule(f"input ip saddr {A} tcp flags & rst == 0 reject with tcp reset")
        self._rule(f"output ip daddr {A} tcp flags & (syn | ack) == syn reject with tcp reset")

    def deaf(self) -> None:
        """b hears nothing of a; a hears b."""
        self._rule(f"input ip saddr {A} drop")

    def mute(self) -> None:
        """a hears nothing of b; b hears a."""
        self._rule(f"output ip daddr {A} drop")

    def heal(self) -> None:
        """As at the beginning."""
        run("ip", "-n", self.b, "link", "set", "vb", "up")
        run(*self.command(self.b), "nft", "flush", "ruleset")
        self._tables()

    def _rule(self, rule: str) -> None:
        chain, _, match = rule.partition(" ")
        run(*self.command(self.b), "nft", f"add rule inet cut {chain} {match}")

    def _tables(self) -> None:
        chains = "".join(
            f"add chain inet cut {hook} {{ type filter hook {hook} priority 0; }}\n"
            for hook in ("input", "output")
        )
        run(*self.command(self.b), "nft", "-f", "-", stdin=f"add table inet cut\n{chains}")


@contextmanager
def two_hosts() -> Iterator[Hosts]:
    """The pair, joined and whole."""
    name = uuid.uuid4().hex[:6]
    hosts = Hosts(f"sw-{name}-a", f"sw-{name}-b")
    with ExitStack() as stack:
        for host in (hosts.a, hosts.b):
            run("ip", "netns", "add", host)
            stack.callback(run, "ip", "netns", "del", host)
            run("ip", "-n", host, "link", "set", "lo", "up")
        run(
            "ip",
            "link",
            "add",
            "va",
            "netns",
            hosts.a,
            "type",
            "veth",
            "peer",
            "name",
            "vb",
            "netns",
            hosts.b,
        )
        for host, device, address in ((hosts.a, "va", A), (hosts.b, "vb", B)):
            run("ip", "-n", host, "addr", "add", f"{address}/24", "dev", device)
            run("ip", "-n", host, "link", "set", device, "up")
        hosts.heal()
        yield hosts


def missing() -> str:
    """Why this machine cannot have such hosts; empty if it can."""
    if os.geteuid() != 0:
        return "needs root"
    absent = [package for tool, package in TOOLS.items() if not shutil.which(tool)]
    if absent:
        return f"apt-get install -y --no-install-recommends {' '.join(absent)}"
    done = subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True)
    return "" if done.returncode == 0 else "cannot make network namespaces"


def run(*command: str, stdin: str = "") -> None:
    """A command that must succeed."""
    done = subprocess.run(command, input=stdin, check=False, capture_output=True, text=True)
    if done.returncode:
        message = f"{' '.join(command)}: {done.stderr.strip()}"
        raise RuntimeError(message)
