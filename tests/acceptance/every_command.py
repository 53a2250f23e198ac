"""Every command of `sliceworks` once in a pipe and once on a terminal; as a program it prints the transcript.

python -m tests.acceptance.every_command > transcript.txt
"""

from __future__ import annotations

import json
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.acceptance.harness import Cluster, running_cluster
from tests.acceptance.jobs import Job, delay, generated, noop
from tests.acceptance.playing import Order, Outcome, Player

SHOWN_LINES = 14
ENDLESS: Job = generated(delay(20), noop(), size=5, lifecycle="persistent", workers=1, name="endless")
SHORT: Job = generated(noop(), size=20, slice_size=5, workers=1, name="short")
BAD_SCRIPT: Job = {"_op": "script", "command": "false"}
BROKEN: Job = generated(BAD_SCRIPT, size=4, slice_size=2, workers=1, max_retries=0, name="broken")
NOWHERE = "00000000-0000-4000-8000-000000000000"

Run = Callable[[Order], Outcome]


@dataclass(frozen=True)
class Played:
    """A command that was run, and the exit code that it should have."""

    outcome: Outcome
    expected: int


@dataclass
class Stage:
    """A cluster, and one way to run commands against it."""

    cluster: Cluster
    folder: Path
    run: Run
    played: list[Played] = field(default_factory=list)

    def do(self, *arguments: str, code: int = 0, stdin: str | None = None, interrupt_at: str = "") -> Outcome:
        """Run one command."""
        outcome = self.run(Order(arguments, stdin, interrupt_at))
        self.played.append(Played(outcome, code))
        return outcome

    def file(self, name: str, content: Any) -> str:
        """A JSON file."""
        path = self.folder / name
        path.write_text(json.dumps(content))
        return str(path)

    def submit(self, job: Job, *, start: bool = True) -> tuple[str, str]:
        """A job of its own, not by the command: job_id, ex_id."""
        answer = self.cluster.post("/jobs", job, start=str(start).lower())
        return answer["job_id"], answer.get("ex_id", "")

    def latest(self, job_id: str) -> str:
        """The ex_id of a job."""
        ex_id: str = self.cluster.get(f"/jobs/{job_id}/ex")["ex_id"]
        return ex_id


def play(stage: Stage) -> None:
    """All that talks to a master, the authors' commands, and what can go wrong."""
    for act in (_bundles, _jobs, _steering, _executions, _failures, _nodes, _cluster, _ends, _wrong):
        act(stage)


def play_clusters(stage: Stage) -> None:
    """The commands that start daemons."""
    data = stage.folder / "data"
    stage.do("config", "show", "--workers", "2")
    stage.do("run", stage.file("short.json", SHORT), "--data-dir", str(data / "run"))
    stage.do("run", stage.file("broken.json", BROKEN), "--data-dir", str(data / "run"), code=10)
    stage.do("dev", "--port", "0", "--workers", "1", "--data-dir", str(data / "dev"), interrupt_at="ready ")
    stage.do("master", "--port", "0", "--data-dir", str(data / "m"), interrupt_at="master_ready")
    stage.do("worker", "--port", "1", "--data-dir", str(data / "w"), interrupt_at="node_started")


def play_chaos(stage: Stage) -> None:
    """A cluster of its own, with one kill."""
    data = str(stage.folder / "data" / "chaos")
    stage.do("chaos", "--seed", "5", "--kills", "1", "--workers", "1", "--data-dir", data)


def _bundles(stage: Stage) -> None:
    folder = str(stage.folder / "shout")
    stage.do("new", "operation", "shout", "--dir", folder)
    stage.do("asset", "build", folder, "-o", f"{folder}.zip")
    stage.do("asset", "deploy", f"{folder}.zip")
    stage.do("asset", "deploy", folder)
    stage.do("asset", "list")
    stage.do("asset", "show", "shout:0.1.0")
    stage.do("job", "submit", f"{folder}/job.json")
    pinned = json.loads((stage.folder / "shout" / "job.json").read_text())
    pinned["assets"], pinned["operations"][1]["_op"] = ["shout:0.1.0"], "shout@shout:0.1.0"
    stage.do("job", "submit", stage.file("pinned.json", pinned))
    newest = [job["job_id"] for job in stage.cluster.get("/jobs", size=2, sort="_created:desc")]
    stage.do("job", "wait", "-", stdin="\n".join(newest))
    asset_id = str(stage.cluster.get("/assets/shout")[0]["id"])
    stage.do("asset", "delete", asset_id, "--dry-run")
    stage.do("asset", "delete", asset_id)
    stage.do("asset", "show", asset_id, code=4)


def _jobs(stage: Stage) -> None:
    many = "\n".join(json.dumps(job) for job in (SHORT, {**SHORT, "name": "shorter"}))
    stage.do("job", "submit", "--no-start", "-", stdin=many)
    job_id, _ = stage.submit(SHORT, start=False)
    stage.do("job", "list", "--size", "3")
    stage.do("job", "list", "-q", "--filter", "name:short*")
    stage.do("job", "show", job_id)
    changed = stage.file("changed.json", {**SHORT, "workers": 2})
    stage.do("job", "update", job_id, changed, "--dry-run")
    stage.do("job", "update", job_id, changed)
    stage.do("job", "deactivate", job_id)
    stage.do("job", "activate", job_id)
    stage.do("job", "start", job_id)
    stage.do("job", "wait", job_id)
    stage.do("job", "delete", job_id, "--dry-run")
    stage.do("job", "delete", "-", stdin=f"{job_id}\n")
    stage.do("job", "start", job_id, code=5)


def _steering(stage: Stage) -> None:
    job_id, ex_id = stage.submit(ENDLESS)
    stage.cluster.wait_completed(ex_id, 1)
    stage.do("job", "start", job_id, code=5)
    stage.do("job", "workers", job_id, "--add", "1")
    stage.do("job", "pause", job_id)
    stage.do("job", "resume", job_id)
    stage.do("job", "controller", job_id)
    stage.do("job", "log-level", job_id, "debug")
    stage.do("job", "errors", job_id)
    stage.do("job", "stop", job_id, "--dry-run")
    stage.do("job", "stop", job_id)
    stage.do("job", "recover", job_id)
    stage.cluster.wait_status(stage.latest(job_id), "running")
    stage.do("job", "stop", job_id, "--force")
    stage.do("job", "wait", job_id, code=12)


def _executions(stage: Stage) -> None:
    job_id, ex_id = stage.submit(ENDLESS)
    stage.cluster.wait_completed(ex_id, 1)
    stage.do("ex", "list", "--status", "running")
    stage.do("ex", "list", "--job", job_id)
    stage.do("ex", "show", ex_id)
    stage.do("ex", "workers", ex_id, "--total", "2", "--dry-run")
    stage.do("ex", "workers", ex_id, "--total", "2")
    stage.do("ex", "pause", ex_id)
    stage.do("ex", "resume", ex_id)
    stage.do("ex", "controller", ex_id)
    stage.do("ex", "log-level", ex_id, "info")
    stage.do("cluster", "controllers")
    stage.do("slice", "count", ex_id)
    stage.do("slice", "list", ex_id, "--state", "completed", "--size", "3")
    stage.do("ex", "wait", ex_id, "--timeout", "100ms", code=11)
    stage.do("ex", "stop", ex_id, "--force", "--dry-run")
    stage.do("ex", "stop", ex_id, NOWHERE, code=3)
    stage.do("ex", "recover", ex_id)
    stage.do("ex", "stop", stage.latest(job_id))


def _failures(stage: Stage) -> None:
    job_id, ex_id = stage.submit(BROKEN)
    stage.do("ex", "wait", ex_id, code=10)
    stage.do("job", "errors", job_id)
    stage.do("ex", "errors", "--size", "1")
    stage.do("ex", "errors", ex_id, "--follow")
    stage.do("ex", "recover", ex_id, "--cleanup", "errors")
    stage.cluster.wait_until_over(stage.latest(job_id))
    stage.do("verify", ex_id, "--data-dir", str(stage.cluster.folder / "master"))


def _nodes(stage: Stage) -> None:
    stage.do("node", "list")
    node_id = next(node["node_id"] for node in stage.cluster.get("/cluster/state").values() if node["total"])
    stage.do("node", "show", node_id)
    stage.do("node", "drain", node_id, "--dry-run")
    stage.do("node", "drain", node_id)
    stage.do("node", "resume", node_id)


def _cluster(stage: Stage) -> None:
    stage.do("cluster", "show")
    stage.do("cluster", "stats")


def _ends(stage: Stage) -> None:
    stage.do("completion", "bash")
    stage.do("--version")
    stage.do("--help")


def _wrong(stage: Stage) -> None:
    stage.do("job", "show", NOWHERE, code=4)
    stage.do("jbo", code=2)
    stage.do("job", "workers", NOWHERE, code=2)
    stage.do("job", "submit", stage.file("bad.json", {"operations": [{"_op": "nop"}], "workers": 0}), code=2)
    stage.do("ex", "list", "--filter", "name:(", code=2)
    stage.do("ex", "list", "--url", "http://127.0.0.1:1", code=7)
    stage.do("ex", "list", "--url", "127.0.0.1:5678", code=2)
    _, ex_id = stage.submit(ENDLESS)
    stage.cluster.wait_completed(ex_id, 1)
    stage.do("ex", "wait", ex_id, "--timeout", "1s", code=11)
    stage.cluster.post(f"/ex/{ex_id}/_stop")


def transcript(played: list[Played]) -> Iterator[str]:
    """As text; long outputs are cut."""
    for each in played:
        outcome = each.outcome
        lines = (outcome.output + outcome.errors).splitlines()
        cut = [*lines[:SHOWN_LINES], f"… {len(lines) - SHOWN_LINES} more lines"]
        yield f"\n$ sliceworks {shlex.join(outcome.arguments)}"
        yield from cut if len(lines) > SHOWN_LINES else lines
        yield f"→ {outcome.code}" + ("" if outcome.code == each.expected else f", not {each.expected}")


def main() -> int:
    """Print the transcript; 1 if an exit code is not what it should be."""
    well = True
    with tempfile.TemporaryDirectory() as name, running_cluster(Path(name) / "cluster", 4) as cluster:
        player = Player({"SLICEWORKS_URL": cluster.url})
        for title, run in (("In a pipe", player.in_a_pipe), ("On a terminal", player.on_a_terminal)):
            folder = Path(name) / title
            folder.mkdir()
            stage = Stage(cluster, folder, run)
            for act in (play, play_clusters, play_chaos):
                act(stage)
            print("\n".join(["", f"# {title}", *transcript(stage.played)]), flush=True)
            well = well and all(each.outcome.code == each.expected for each in stage.played)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
