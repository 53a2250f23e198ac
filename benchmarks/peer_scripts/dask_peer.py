"""dask.distributed, a scheduler and two workers, each a process: from `map` to the end of `as_completed`.

Run by the benchmark in dask's own environment; prints the units a second.
"""

# mypy: ignore-errors
# ruff: noqa: ARG001, PTH110, PTH118

import os
import subprocess
import sys
import tempfile
import time

from distributed import Client, as_completed

# By default the scheduler hands out about one task a worker at a time, which is five times slower for no-ops.
os.environ["DASK_DISTRIBUTED__SCHEDULER__WORKER_SATURATION"] = "inf"
UNITS = int(os.environ["BENCH_UNITS"])


def noop(number):
    return None


def main():
    with tempfile.TemporaryDirectory() as folder:
        contact = os.path.join(folder, "scheduler.json")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
        start = [sys.executable, "-m"]
        common = ["--scheduler-file", contact, "--no-dashboard"]
        listen = ["--host", "127.0.0.1", "--port", "0"]
        scheduler = subprocess.Popen([*start, "distributed.cli.dask_scheduler", *common, *listen], **quiet)
        worker = [*start, "distributed.cli.dask_worker", *common, "--nthreads", "1", "--no-nanny"]
        workers = [subprocess.Popen([*worker, "--host", "127.0.0.1"], **quiet) for _ in range(2)]
        try:
            measure(contact)
        finally:
            for process in (*workers, scheduler):
                process.terminate()
                process.wait(30)


def measure(contact):
    while not os.path.exists(contact):
        time.sleep(0.05)
    with Client(scheduler_file=contact) as client:
        client.wait_for_workers(2, timeout=60)
        run(client, 200)
        print(UNITS / run(client, UNITS))


def run(client, units):
    started = time.perf_counter()
    for _ in as_completed(client.map(noop, range(units), pure=False)):
        pass
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
