"""Celery with Redis, late acknowledgement, two processes: from the first send to the last acknowledgement.

Run by the benchmark in Celery's own environment: `celery_peer.py PORT UNITS`; prints the units a second.
"""

# mypy: ignore-errors
# ruff: noqa: ARG001, PLC0415, PTH100, PTH120

import os
import subprocess
import sys
import time

from celery import Celery

PORT, UNITS = os.environ["BENCH_REDIS_PORT"], int(os.environ["BENCH_UNITS"])
app = Celery("celery_peer", broker=f"redis://127.0.0.1:{PORT}/0")
app.conf.update(task_acks_late=True, task_ignore_result=True, broker_connection_retry_on_startup=True)
WORKER = "worker --pool prefork --concurrency 2 --loglevel ERROR --without-gossip --without-mingle"


@app.task(name="noop")
def noop(number):
    return None


def main():
    import redis

    server = redis.Redis(port=int(PORT))
    command = [sys.executable, "-m", "celery", "-A", "celery_peer", *WORKER.split()]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    worker = subprocess.Popen(command, cwd=os.path.dirname(os.path.abspath(__file__)), **quiet)
    try:
        run(server, 100)
        print(UNITS / run(server, UNITS))
    finally:
        worker.terminate()
        worker.wait(30)


def run(server, units):
    started = time.perf_counter()
    with app.producer_pool.acquire(block=True) as producer:
        for number in range(units):
            noop.apply_async((number,), producer=producer)
    while server.llen("celery") or server.hlen("unacked"):
        time.sleep(0.01)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
