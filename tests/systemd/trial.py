"""The units of deploy/ under a real systemd: a master host and two worker hosts.

They are installed as docs/operating.md says.  `make test-systemd` runs this, as root; it prints what it does
and what it sees, and ends with 1 at the first thing that is not as it should be.  With names of trials
(`stop`, `watchdog`) it tries only these.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from tests.systemd.hosts import (
    Host,
    HostError,
    Image,
    build_wheel,
    missing,
    network,
    running_host,
    wait_until,
    workspace,
)

ROOT: Final = Path(__file__).parents[2]
MASTER: Final = "sliceworks-master.service"
WORKER: Final = "sliceworks-worker.service"
KIT: Final = "/root/sliceworks"
API: Final = "http://10.77.0.1:5678"
INSTALL: Final = f"""set -e
cd {KIT}
/usr/bin/python3 -m venv /opt/sliceworks
/opt/sliceworks/bin/pip install -q -c constraints.txt sliceworks-*.whl
install -D -m 644 deploy/systemd/*.service -t /etc/systemd/system
install -D -m 644 deploy/sysusers.d/sliceworks.conf -t /etc/sysusers.d
install -D -m 644 deploy/tmpfiles.d/sliceworks.conf -t /etc/tmpfiles.d
install -D -m 644 deploy/config/*.toml -t /etc/sliceworks
install -m 755 deploy/scale-workers /usr/local/bin
systemd-sysusers
"""
HANG: Final = """import signal, sys, time
signal.signal(signal.SIGUSR1, lambda *_: time.sleep(3600))
sys.argv[0] = "sliceworks"
from sliceworks.cli.main import main
main()
"""
HEEDFUL: Final = """import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))
time.sleep(6)
sys.stdout.write(sys.stdin.read())
"""
HANGING: Final = """[Service]
WatchdogSec=3
ExecStart=
ExecStart=/opt/sliceworks/bin/python /opt/hang.py {daemon} --config /etc/sliceworks/{daemon}.toml
"""


class Cluster:
    """The three hosts, and what an operator does with them."""

    def __init__(self, hosts: dict[str, Host]) -> None:
        self.master, self.first, self.second = hosts.values()
        self.workers = (self.first, self.second)
        self.hosts = tuple(hosts.values())

    def get(self, path: str) -> Any:
        """What the API answers."""
        return json.loads(self.master.run("curl", "-sS", "--fail-with-body", f"{API}{path}"))

    def submit(self, **job: Any) -> str:
        """The execution of a new job."""
        answer = self.master.run(
            "curl", "-sS", "--fail-with-body", f"{API}/jobs", "-d@-", stdin=json.dumps(job)
        )
        ex_id: str = json.loads(answer)["ex_id"]
        wait_until(lambda: self.counts(ex_id)["completed"] > 0, "the job runs", seconds=60)
        return ex_id

    def counts(self, ex_id: str) -> dict[str, int]:
        """Its slices by state."""
        counts: dict[str, int] = self.get(f"/ex/{ex_id}/slices/_count")
        return counts

    def status(self, ex_id: str) -> str:
        """Of an execution."""
        return str(self.get(f"/ex/{ex_id}")["_status"])

    def pids(self, ex_id: str, assignment: str = "worker") -> list[int]:
        """The processes of this kind that the cluster state shows for an execution."""
        nodes = self.get("/cluster/state").values()
        active = [one for node in nodes for one in node["active"] if one.get("ex_id") == ex_id]
        return sorted(one["pid"] for one in active if one["assignment"] == assignment)

    def progress(self, ex_id: str, more: int) -> None:
        """Wait until so many more slices have completed."""
        wanted = self.counts(ex_id)["completed"] + more
        wait_until(lambda: self.counts(ex_id)["completed"] >= wanted, f"{more} more slices are completed")


def generated(slices: int, *operations: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A job of so many slices with ten records each."""
    reader = {"_op": "data_generator", "size": slices * 10, "slice_size": 10}
    return {"name": "trial", "workers": 4, "operations": [reader, *operations], **fields}


def say(text: str) -> None:
    """A line of the transcript."""
    print(text, flush=True)


def check(is_so: object, what: str) -> None:
    """Note it, or end the trial."""
    if not is_so:
        message = f"NOT SO: {what}"
        raise HostError(message)
    say(f"  ok: {what}")


def show(host: Host, *command: str, last: int = 12) -> str:
    """Run a command for the transcript."""
    done = host.try_run(*command)
    lines = (done.stdout + done.stderr).rstrip().splitlines()
    say(f"  {host.name}# {' '.join(command)}")
    for line in lines[-last:]:
        say(f"    {line[:180]}")
    return done.stdout


def install(image: Image) -> None:
    """As the page tells an operator."""
    with image.mounted() as root:
        kit = root / KIT.lstrip("/")
        shutil.copytree(ROOT / "deploy", kit / "deploy")
        shutil.copy(ROOT / "constraints.txt", kit)
        (root / "opt/hang.py").write_text(HANG)
        build_wheel(kit)
        say("## Install (the commands of docs/operating.md)")
        for line in INSTALL.splitlines():
            say(f"  # {line}")
        done = subprocess.run(
            ["chroot", root, "sh", "-c", INSTALL], check=False, capture_output=True, text=True
        )
        say(done.stderr if done.returncode else "")
        check(done.returncode == 0, "installed into /opt/sliceworks, with users, units and configuration")
        image.prepare(root)


def configure(host: Host) -> None:
    """The addresses of this host in the example files; directories as at boot."""
    host.sh(f"sed -i 's/10[.]0[.]0[.]2/{host.address}/; s/10[.]0[.]0[.]1/10.77.0.1/' /etc/sliceworks/*.toml")
    host.sh("sed -i 's/^# workers = 8/workers = 4/' /etc/sliceworks/worker.toml")
    host.run("systemd-tmpfiles", "--create")


def try_analysis(cluster: Cluster) -> None:
    say("## systemd-analyze")
    units = [f"/etc/systemd/system/{name}" for name in (MASTER, WORKER)]
    done = cluster.master.try_run("systemd-analyze", "verify", "--man=no", *units)
    check(done.returncode == 0 and not done.stdout + done.stderr, "verify has nothing to say")
    for unit in (MASTER, WORKER):
        show(cluster.master, "systemd-analyze", "security", "--no-pager", unit, last=1)


def try_start(cluster: Cluster) -> None:
    say("## Start")
    show(cluster.master, "systemctl", "enable", "--now", MASTER)
    check(cluster.get("/")["name"] == "sliceworks", "start has returned, and the API answers at once")
    for host in cluster.workers:
        show(host, "systemctl", "enable", "--now", WORKER)
    wait_until(
        lambda: "2 nodes, 0 of 8 slots" in cluster.master.show(MASTER, "StatusText"), "the status line"
    )
    for host in cluster.hosts:
        show(host, "systemctl", "status", "--no-pager", MASTER if host is cluster.master else WORKER, last=16)
        folder = "master" if host is cluster.master else "worker"
        seen = host.sh(f"stat -c '%U %a' /var/lib/sliceworks/{folder}")
        check(seen == f"sliceworks-{folder} 700", f"the state directory is its own ({seen})")


def try_first_job(cluster: Cluster) -> None:
    say("## The first job: deploy/examples/to-csv.json")
    job = json.loads((ROOT / "deploy" / "examples" / "to-csv.json").read_text())
    slices = job["operations"][0]["size"] // job["operations"][0]["slice_size"]
    expect_complete(cluster, cluster.submit(**job), slices)
    for host in cluster.workers:
        show(host, "sh", "-c", "ls -l /srv/sliceworks/records | head -3; ls /srv/sliceworks/records | wc -l")
    done = cluster.master.try_run("scale-workers", "--url", API, "no-such-job", "add", "1")
    check(done.returncode == 4, f"scale-workers: {done.stderr.strip()} (exit code 4)")
    for host in cluster.workers:
        host.run("rm", "-r", "/srv/sliceworks/records")


def try_restarts(cluster: Cluster) -> None:
    say("## A job over both hosts; restart of the master and of a worker daemon in mid-run")
    slices = 1_500
    exporter = {"_op": "file_exporter", "path": "records", "format": "ldjson", "file_per_slice": True}
    ex_id = cluster.submit(**generated(slices, {"_op": "delay", "ms": 50}, exporter))
    say("  " + cluster.master.run("scale-workers", "--url", API, "--ex", ex_id, "total", "6"))
    wait_until(lambda: len(cluster.pids(ex_id)) == 6, "six workers")
    cluster.progress(ex_id, 100)
    shares = [len(node["active"]) for node in cluster.get("/cluster/state").values() if node["total"]]
    check(all(shares), f"both worker hosts have workers: {shares}")
    scores = "for pid in $(pgrep -u sliceworks-%s); do cat /proc/$pid/oom_score_adj; done"
    check(
        cluster.master.sh(scores % "master").split().count("500") == 1,
        "short of memory, the slicer dies first",
    )
    check(cluster.first.sh(scores % "worker").split().count("500") == 3, "short of memory, workers die first")
    before = cluster.counts(ex_id)
    timed(cluster.master, "systemctl", "restart", MASTER)
    say(f"  slices before {before}, after {cluster.counts(ex_id)}, status {cluster.status(ex_id)}")
    cluster.progress(ex_id, 100)
    timed(cluster.first, "systemctl", "restart", WORKER)
    wait_until(lambda: len(cluster.pids(ex_id)) == 6, "six workers again")
    show(cluster.master, "systemctl", "show", "-P", "StatusText", MASTER)
    expect_complete(cluster, ex_id, slices)
    ids = "cat /srv/sliceworks/records/* | grep -o '\"id\":[0-9]*'"
    seen = [line for host in cluster.workers for line in host.sh(ids).split()]
    check(len(set(seen)) == slices * 10, f"{len(set(seen))} different records are in the files of both hosts")
    check(len(seen) == slices * 10, "none of them twice")


def try_crashes(cluster: Cluster) -> None:
    say("## Crash and restart")
    slices = 800
    ex_id = cluster.submit(**generated(slices, {"_op": "delay", "ms": 50}))
    controllers = cluster.pids(ex_id, "execution_controller")
    show(cluster.master, "systemctl", "kill", "--kill-whom=main", "-s", "KILL", MASTER)
    back(cluster.master, MASTER, 1)
    wait_until(lambda: _answers(cluster, ex_id), "the master is back")
    check(cluster.pids(ex_id, "execution_controller") == controllers, "the same controller process: adopted")
    show(cluster.first, "systemctl", "kill", "--kill-whom=main", "-s", "KILL", WORKER)
    back(cluster.first, WORKER, 1)
    expect_complete(cluster, ex_id, slices)


def try_watchdog(cluster: Cluster) -> None:
    say("## A daemon that hangs")
    hosts = ((cluster.master, MASTER, "master"), (cluster.second, WORKER, "worker"))
    for host, unit, daemon in hosts:
        drop_in(host, unit, HANGING.format(daemon=daemon))
        host.run("systemctl", "restart", unit)
    slices = 800
    ex_id = cluster.submit(**generated(slices, {"_op": "delay", "ms": 50}))
    controllers = cluster.pids(ex_id, "execution_controller")
    for host, unit, _ in hosts:
        restarts = int(host.show(unit, "NRestarts"))
        show(host, "systemctl", "kill", "--kill-whom=main", "-s", "USR1", unit)
        back(host, unit, restarts + 1)
        about = "Watchdog timeout|most recent call first|hang.py"
        journal = show(host, "journalctl", "-u", unit, "-b", "--no-pager", "-o", "cat", "-g", about, last=8)
        check("Watchdog timeout" in journal, "the watchdog has ended it")
        check("hang.py" in journal and "most recent call first" in journal, "its stack is in the journal")
    check(cluster.pids(ex_id, "execution_controller") == controllers, "the controller did not notice")
    expect_complete(cluster, ex_id, slices)
    for host, unit, _ in hosts:
        host.run("systemctl", "revert", unit)
        host.run("systemctl", "restart", unit)


def try_stop(cluster: Cluster) -> None:
    say("## Stop under load: slices of 6 s, a shorter TimeoutStopSec, commands that heed SIGTERM")
    drop_in(cluster.first, WORKER, "[Service]\nTimeoutStopSec=2\n")
    script = {"_op": "script", "command": "python3", "args": ["-c", HEEDFUL]}
    ex_id = cluster.submit(**generated(16, script, workers=8))
    wait_until(lambda: cluster.counts(ex_id)["start"] >= 8, "all workers are busy")
    timed(cluster.first, "systemctl", "stop", WORKER)
    check(cluster.first.show(WORKER, "Result") == "success", "it ended in order, past its TimeoutStopSec")
    left = cluster.first.sh("pgrep -u sliceworks-worker || true")
    check(not left, "no process is left")
    cluster.first.run("systemctl", "revert", WORKER)
    cluster.first.run("systemctl", "start", WORKER)
    expect_complete(cluster, ex_id, 16)
    attempts = [len(one["attempts"]) for one in cluster.get(f"/ex/{ex_id}/slices?size=100")]
    check(attempts == [1] * 16, f"each slice was tried once: {attempts}")
    check(not cluster.get(f"/ex/{ex_id}/errors"), "no slice has an error")


def try_stop_of_the_master(cluster: Cluster) -> None:
    say("## Stop and start of the master: controllers save and end, and the job goes on")
    slices = 800
    ex_id = cluster.submit(**generated(slices, {"_op": "delay", "ms": 50}))
    timed(cluster.master, "systemctl", "stop", MASTER)
    check(not cluster.master.sh("pgrep -u sliceworks-master || true"), "no process is left")
    show(cluster.first, "systemctl", "show", "-P", "StatusText", WORKER)
    cluster.master.run("systemctl", "start", MASTER)
    expect_complete(cluster, ex_id, slices)


def try_backup(cluster: Cluster) -> None:
    say("## Backup, and back to it, of a job in mid-run")
    slices = 800
    ex_id = cluster.submit(**generated(slices, {"_op": "delay", "ms": 50}))
    cluster.progress(ex_id, 50)
    cluster.master.run("systemctl", "stop", MASTER)
    cluster.master.run("tar", "-C", "/var/lib/sliceworks", "-czf", "/root/backup.tar.gz", "master")
    cluster.master.run("systemctl", "start", MASTER)
    cluster.progress(ex_id, 50)
    later = cluster.counts(ex_id)
    for host in cluster.workers:
        host.run("systemctl", "stop", WORKER)
    cluster.master.run("systemctl", "stop", MASTER)
    cluster.master.run("rm", "-r", "/var/lib/sliceworks/master")
    cluster.master.run("tar", "-C", "/var/lib/sliceworks", "-xzpf", "/root/backup.tar.gz")
    cluster.master.run("systemctl", "start", MASTER)
    say(f"  slices when it was lost {later}, restored {cluster.counts(ex_id)}")
    for host in cluster.workers:
        host.run("systemctl", "start", WORKER)
    expect_complete(cluster, ex_id, slices)


def try_power_loss(cluster: Cluster) -> None:
    say("## Power loss of the master's host, which has a worker daemon too")
    show(cluster.master, "systemctl", "enable", "--now", WORKER)
    wait_until(lambda: "3 nodes" in cluster.master.show(MASTER, "StatusText"), "three nodes")
    slices = 1_200
    ex_id = cluster.submit(**generated(slices, {"_op": "delay", "ms": 50}, workers=12))
    say(f"  slices before {cluster.counts(ex_id)}")
    cluster.master.lose_power()
    wait_until(lambda: _answers(cluster, ex_id), "the job runs again")
    check(True, "it has booted, the units are started, and the job runs again")
    expect_complete(cluster, ex_id, slices)


def try_journal(cluster: Cluster) -> None:
    say("## The journal")
    line = cluster.first.run("journalctl", "-u", WORKER, "-o", "json", "-g", "worker_started", "-n", "1")
    entry = json.loads(line)
    fields = ("_SYSTEMD_UNIT", "SYSLOG_IDENTIFIER", "PRIORITY", "_HOSTNAME", "MESSAGE")
    for name in fields:
        say(f"    {name}={entry[name]}")
    message = json.loads(entry["MESSAGE"])
    check(
        {"time", "level", "event", "ex_id", "worker_id", "pid"} <= message.keys(), "an event has its fields"
    )
    check(entry["PRIORITY"] == "6", "an info line has the priority info")
    warnings = cluster.first.run("journalctl", "-u", WORKER, "-p", "warning", "-o", "cat", "--no-pager")
    mine = [json.loads(line)["level"] for line in warnings.splitlines() if line.startswith("{")]
    say(f"    journalctl -p warning: {len(mine)} events")
    check("info" not in mine, "journalctl -p warning shows no info line")
    for host in cluster.hosts:
        errors = host.try_run(
            "journalctl", "-u", "sliceworks-*", "-p", "err", "-o", "cat", "-g", '"level"'
        ).stdout
        say(f"    {errors[:2000]}")
        check(not errors, f"no daemon on {host.name} has logged an error of its own")


def timed(host: Host, *command: str) -> None:
    """Run it, and say how long it took."""
    began = time.monotonic()
    show(host, *command)
    say(f"    took {time.monotonic() - began:.1f} s")


def back(host: Host, unit: str, restarts: int) -> None:
    """Wait until systemd has started it so often again."""
    wait_until(
        lambda: int(host.show(unit, "NRestarts")) >= restarts and host.show(unit, "ActiveState") == "active",
        f"{unit} is started again",
    )
    check(value := host.show(unit, "NRestarts"), f"{unit} was started again; NRestarts={value}")


def expect_complete(cluster: Cluster, ex_id: str, slices: int) -> None:
    """It ends, with each slice completed exactly once."""
    wait_until(lambda: cluster.status(ex_id) == "completed", "the job is completed", seconds=180)
    counts = cluster.counts(ex_id)
    check(counts == {"pending": 0, "start": 0, "completed": slices, "error": 0}, f"nothing is lost: {counts}")
    verified = cluster.master.sh(
        f"setpriv --reuid sliceworks-master --regid sliceworks --clear-groups "
        f"/opt/sliceworks/bin/sliceworks verify --data-dir /var/lib/sliceworks/master {ex_id}"
    )
    say(f"  sliceworks verify: {' '.join(verified.split())[:150]}")


def drop_in(host: Host, unit: str, text: str) -> None:
    """As `systemctl edit` makes one."""
    host.sh(f"mkdir -p /etc/systemd/system/{unit}.d")
    host.run("tee", f"/etc/systemd/system/{unit}.d/override.conf", stdin=text)
    host.run("systemctl", "daemon-reload")


TRIALS: Final[tuple[Callable[[Cluster], None], ...]] = (
    try_analysis,
    try_start,
    try_first_job,
    try_restarts,
    try_crashes,
    try_watchdog,
    try_stop,
    try_stop_of_the_master,
    try_backup,
    try_journal,
    try_power_loss,
)


@contextlib.contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Three hosts, installed and booted."""
    prefix = f"sw{os.getpid()}-"
    names = ("master", "worker1", "worker2")
    with workspace() as folder, contextlib.ExitStack() as stack:
        image = Image(folder / "image")
        install(image)
        addresses = stack.enter_context(network(prefix, names))
        hosts = {
            name: stack.enter_context(
                running_host(
                    image, folder / name, namespace=f"{prefix}{name}", name=name, address=addresses[name]
                )
            )
            for name in names
        }
        for host in hosts.values():
            configure(host)
        yield Cluster(hosts)


def _answers(cluster: Cluster, ex_id: str) -> bool:
    with contextlib.suppress(HostError):
        return cluster.status(ex_id) == "running"
    return False


def main(wanted: Sequence[str]) -> int:
    """0: all as it should be; 1: not; 77: cannot be tried on this machine."""
    if reason := missing():
        say(f"skipped: {reason}")
        return 77
    began = time.monotonic()
    with running_cluster() as cluster:
        try:
            for trial in TRIALS:
                if not wanted or trial is try_start or trial.__name__.removeprefix("try_") in wanted:
                    trial(cluster)
        except (HostError, OSError, ValueError, KeyError) as error:
            say(f"FAILED: {error!r}")
            for host in cluster.hosts:
                show(host, "journalctl", "--no-pager", "-o", "cat", "-u", "sliceworks-*", last=40)
            return 1
    say(f"all as it should be, in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
